import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describeError } from '@cdr/core/errors';
import { CommittedReader } from '../dev/kafka-counter/committed-reader.ts';
import { clearSettings } from '../dev/services/clear-settings.ts';
import { startParts, type OwnedParts } from '../dev/services/parts.ts';
import { FILE_SETS, prepareSet, type FileSet, type PreparedSet } from './file-sets.ts';
import { ingestRound, type IngestOptions, type RoundParts } from './ingest-round.ts';
import { measureLimits, type Limit } from './limits.ts';
import { currentLoad, describeMachine } from './machine.ts';
import { HELP, OptionError, parseOptions, type BenchOptions, type SetName } from './options.ts';
import { readProfileIn, type Period } from './profile.ts';
import { referenceRound } from './reference-round.ts';
import { reportLines } from './report.ts';
import { problemsOf, summaryOf, type BenchResult, type FarAway, type SetResult } from './result.ts';
import type { Round } from './round.ts';
import { scanRounds } from './scan-rounds.ts';
import { startSlowProxy } from './slow-proxy.ts';

const RESULTS_DIR = path.join(import.meta.dirname, 'results');
const ROUND_TRIPS_MS = [10, 50];
/** The reference would take minutes for these, and says nothing about them that it does not say about the others. */
const WITHOUT_REFERENCE: readonly SetName[] = ['SS', 'XL'];
const EXIT_FAILED = 1;
const EXIT_BAD_OPTIONS = 2;

/** Runs everything that was asked for, one thing after the other. */
class Benchmark {
  readonly #options: BenchOptions;
  readonly #rounds: RoundParts;
  readonly #uploadDir: string;
  #number = 0;

  constructor(options: BenchOptions, rounds: RoundParts, uploadDir: string) {
    this.#options = options;
    this.#rounds = rounds;
    this.#uploadDir = uploadDir;
  }

  async run(): Promise<BenchResult> {
    const { sets, extras, slots, shrink, profile } = this.#options;
    const { parts } = this.#rounds;
    const loadBefore = currentLoad();
    if (sets.length > 0) await this.#warmUpBroker();
    const measured: SetResult[] = [];
    for (const name of sets)
      measured.push(await this.#measureSet(name, this.#options.reference && !WITHOUT_REFERENCE.includes(name)));
    const lz4: SetResult[] = [];
    if (extras.includes('lz4'))
      for (const name of ['S', 'L'] as const)
        lz4.push(await this.#measureSet(name, false, `${name} lz4`, { COMPRESSION: 'lz4' }));
    const farAway = extras.includes('rtt') ? await this.#measureFarAway() : [];
    const limits = extras.includes('limits') ? await this.#measureLimits() : [];
    const scan = extras.includes('scan') ? await this.#measureScan() : undefined;
    const profiles = [];
    if (profile) for (const name of sets) profiles.push(await this.#profileSet(name));
    return {
      at: new Date().toISOString(),
      commit: currentCommit(),
      machine: describeMachine(parts.kafka !== undefined),
      slots,
      shrink,
      loadBefore,
      sets: measured,
      lz4,
      farAway,
      ...(scan ? { scan } : {}),
      limits,
      profiles,
    };
  }

  /**
   * Thousands of transactions that nobody counts: a broker that was just started has its compiler take half the machine
   * for half a minute, and one in use has run for weeks.
   */
  async #warmUpBroker(): Promise<void> {
    await this.#ingest('(warms the broker up)', this.#prepare('SS'), {});
  }

  /** Ingester and reference in turn, so that whatever else the machine does meets both alike. */
  async #measureSet(
    name: SetName,
    withReference: boolean,
    title: string = name,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<SetResult> {
    const set = this.#prepare(name);
    const ingester: Round[] = [];
    const reference: Round[] = [];
    for (let round = 1; round <= this.#options.rounds; round++) {
      ingester.push(await this.#ingest(`${title}, round ${round}`, set, { settings }));
      if (!withReference) continue;
      const measured = await referenceRound(set, this.#rounds, this.#nextName('reference'));
      reference.push(measured);
      tell(`${title} reference, round ${round}`, measured);
    }
    return {
      name: title,
      files: set.files,
      rowsPerFile: set.rowsPerFile,
      megabytes: set.bytes / 1e6,
      ingester: summaryOf(ingester),
      ...(reference.length > 0 ? { reference: summaryOf(reference) } : {}),
      rounds: { ingester, reference },
    };
  }

  async #measureFarAway(): Promise<FarAway[]> {
    const { env } = this.#rounds.parts;
    const set = this.#prepare('L');
    const measured: FarAway[] = [];
    for (const roundTripMs of ROUND_TRIPS_MS) {
      const server = { host: env['SFTP_HOST'] ?? '', port: Number(env['SFTP_PORT']) };
      const proxy = await startSlowProxy(server, roundTripMs);
      const settings = { SFTP_HOST: '127.0.0.1', SFTP_PORT: String(proxy.port) };
      const rounds: Round[] = [];
      try {
        for (let round = 1; round <= this.#options.rounds; round++)
          rounds.push(await this.#ingest(`L at ${roundTripMs} ms, round ${round}`, set, { settings }));
      } finally {
        await proxy.close();
      }
      measured.push({ roundTripMs, recordsPerSecond: summaryOf(rounds).recordsPerSecond, rounds });
    }
    return measured;
  }

  async #measureLimits(): Promise<Limit[]> {
    const options = { set: this.#prepare('L'), uploadDir: this.#uploadDir, rounds: this.#rounds };
    return measureLimits(options, (line) => say(line));
  }

  async #measureScan() {
    say('scan: writing the files, then a scanner');
    const files = Math.ceil(this.#options.scanFiles / this.#options.shrink);
    return scanRounds(files, this.#rounds.parts, this.#uploadDir);
  }

  async #profileSet(name: SetName) {
    const dir = path.join(this.#rounds.parts.instance.dir, `profile-${name}`);
    let period: Period = { from: 0, to: Infinity };
    const profile = { dir, tellPeriod: (told: Period) => (period = told) };
    await this.#ingest(`${name} under the profiler`, this.#prepare(name), { profile });
    return { set: name, profile: readProfileIn(dir, period) };
  }

  async #ingest(title: string, set: PreparedSet, options: Omit<IngestOptions, 'name'>): Promise<Round> {
    const settings = { WORKER_CONCURRENCY: String(this.#options.slots), ...options.settings };
    const round = await ingestRound(set, this.#rounds, { ...options, settings, name: this.#nextName('ingest') });
    tell(title, round);
    return round;
  }

  #prepare(name: SetName): PreparedSet {
    const { files, rowsPerFile } = FILE_SETS[name];
    const { shrink } = this.#options;
    // many files stay many and small, one stays one
    const set: FileSet =
      files > 1
        ? { name, files: Math.max(2, Math.round(files / shrink)), rowsPerFile }
        : { name, files, rowsPerFile: Math.round(rowsPerFile / shrink) };
    return prepareSet(set, this.#uploadDir);
  }

  #nextName(kind: string): string {
    return `${kind}-${++this.#number}`;
  }
}

function tell(title: string, round: Round): void {
  const { recordsPerSecond, filesPerSecond, cpuSecondsPerMillion, cpuMsPerFile, peakRssMb, loadBefore, problems } =
    round;
  say(
    [
      title.padEnd(22),
      `${Math.round(recordsPerSecond).toLocaleString('en-US')} records/s`.padStart(19),
      `${filesPerSecond.toFixed(1)} files/s`.padStart(15),
      `${cpuSecondsPerMillion.toFixed(2)} CPU s/million`.padStart(21),
      `${cpuMsPerFile.toFixed(1)} CPU ms/file`.padStart(20),
      `${peakRssMb.toFixed(0)} MB`.padStart(8),
      `load ${loadBefore}`.padStart(11),
      problems.length > 0 ? `  WRONG: ${problems[0]}` : '',
    ].join(''),
  );
}

function currentCommit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' });
    const changed = git('status', '--porcelain', '--untracked-files=no', '..').trim() !== '';
    return `${git('rev-parse', '--short', 'HEAD').trim()}${changed ? ', with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

function say(line: string): void {
  console.error(line);
}

function keep(result: BenchResult, { jsonFile, keep: keepResult }: BenchOptions): void {
  const text = `${JSON.stringify(result, null, 2)}\n`;
  if (jsonFile !== undefined) writeFileSync(jsonFile, text);
  if (!keepResult) return;
  mkdirSync(RESULTS_DIR, { recursive: true });
  const file = path.join(RESULTS_DIR, `${result.at.slice(0, 19).replaceAll(':', '-')}.json`);
  writeFileSync(file, text);
  say(`written to ${path.relative(process.cwd(), file)}`);
}

async function bench(options: BenchOptions, parts: OwnedParts): Promise<number> {
  const { sshd } = parts;
  if (sshd === undefined) throw new Error('The benchmark writes its files into the directory of its own SFTP server.');
  clearSettings();
  const judge = await CommittedReader.start(parts.env['KAFKA_BROKERS'] ?? '', say);
  try {
    const result = await new Benchmark(options, { parts, judge }, sshd.uploadDir).run();
    console.log(['', ...reportLines(result)].join('\n'));
    keep(result, options);
    return problemsOf(result).length > 0 ? EXIT_FAILED : 0;
  } finally {
    await judge.stop();
  }
}

async function main(args: string[]): Promise<number> {
  let parts: OwnedParts | undefined;
  try {
    const options = parseOptions(args);
    if (options === 'help') {
      console.log(HELP);
      return 0;
    }
    parts = await startParts({ instance: 'bench', optimized: true, progress: say });
    return await bench(options, parts);
  } catch (error) {
    const wrongOption = error instanceof OptionError;
    console.error(`bench: ${wrongOption ? error.message : describeError(error)}`);
    return wrongOption ? EXIT_BAD_OPTIONS : EXIT_FAILED;
  } finally {
    await parts?.stop();
  }
}

process.exit(await main(process.argv.slice(2)));
