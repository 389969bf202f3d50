import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { withLock } from '../dev/services/file-lock.ts';
import { DEV_DIR } from '../dev/services/instance.ts';
import { ensurePrograms, programPath, PROGRAMS } from '../dev/services/programs.ts';
import { writeTables, type Outcome } from './result-tables.ts';
import { INVARIANTS, PROTOCOL, RUNS, type Constants, type Run } from './run-table.ts';

const HELP = `Checks the model of the ingest protocol, IngestFile.tla: the protocol must hold, each mutation of it must break.

  npx pnpm spec [NAME ...]   the runs named; none: every run but the long ones
    --all                    the long ones, too
    --list                   only name them
    -j, --jobs N             runs at a time (default: one a CPU, at most 4)
    -t, --seconds N          longest time of one run (default 900)
    -v, --verbose            print counterexamples
    --write                  what came out as it must into the tables of docs/guarantees.md; runs that were not run keep their rows`;

const MODULE = 'IngestFile';
const POM = path.join(import.meta.dirname, 'pom.xml');
const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
const MODEL_VALUES = { workers: 'Workers', operators: 'Operators', scanners: 'Scanners', keepUps: 'KeepUps' } as const;

const PAGE = path.join(import.meta.dirname, '../docs/guarantees.md');

interface Result {
  readonly ok: boolean;
  readonly verdict: string;
  readonly outcome: Outcome;
  readonly seconds: number;
  readonly output: string;
}

/** TLC's jar, fetched by Maven when it is not there yet; another pom.xml means another folder. */
async function tlcClassPath(): Promise<string> {
  const dir = path.join(DEV_DIR, `tlc-${createHash('sha256').update(readFileSync(POM)).digest('hex').slice(0, 8)}`);
  if (!existsSync(dir)) {
    await ensurePrograms([PROGRAMS.java, PROGRAMS.maven], console.error);
    await withLock(`${dir}.lock`, 600_000, async () => {
      if (existsSync(dir)) return;
      console.error('Fetching TLC by Maven (once)');
      const partial = `${dir}.partial`;
      rmSync(partial, { recursive: true, force: true });
      const options = ['-B', '-ntp', '-q', '-f', POM, COPY_DEPENDENCIES, `-DoutputDirectory=${partial}`];
      await promisify(execFile)(programPath(PROGRAMS.maven), options);
      renameSync(partial, dir);
    });
  }
  await ensurePrograms([PROGRAMS.java], console.error);
  return path.join(dir, '*');
}

/** A run as TLC's configuration file. */
function configurationOf(run: Run): string {
  const constants: Constants = { ...PROTOCOL, ...run.constants };
  const lines = ['SPECIFICATION Spec', 'SYMMETRY Symmetry', 'CHECK_DEADLOCK FALSE', 'CONSTANTS'];
  for (const [name, value] of Object.entries(constants)) {
    if (name in MODEL_VALUES) {
      const names = Array.from({ length: value as number }, (_, i) => `${name.slice(0, -1)}${i + 1}`);
      lines.push(`  ${MODEL_VALUES[name as keyof typeof MODEL_VALUES]} = {${names.join(', ')}}`);
      lines.push(...names.map((each) => `  ${each} = ${each}`));
    } else
      lines.push(`  ${name} = ${typeof value === 'boolean' ? String(value).toUpperCase() : JSON.stringify(value)}`);
  }
  for (const invariant of run.breaks ? [run.breaks] : INVARIANTS) lines.push(`INVARIANT ${invariant}`);
  return `${lines.join('\n')}\n`;
}

/** Runs TLC with one thread, so that it finds a shortest counterexample, and the same one each time. */
async function check(run: Run, classPath: string, seconds: number): Promise<Result> {
  const dir = path.join(DEV_DIR, 'spec', `${run.name}-${process.pid}`);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  cpSync(path.join(import.meta.dirname, `${MODULE}.tla`), path.join(dir, `${MODULE}.tla`));
  writeFileSync(path.join(dir, 'run.cfg'), configurationOf(run));
  const startedAt = performance.now();
  const args = ['-XX:+UseSerialGC', '-Xmx3g', `-Djava.io.tmpdir=${dir}`, '-cp', classPath, 'tlc2.TLC'];
  args.push('-workers', '1', '-metadir', path.join(dir, 'states'), '-config', 'run.cfg', MODULE);
  const tlc = spawn(programPath(PROGRAMS.java), args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = (): void => void tlc.kill();
  process.once('exit', stop);
  let outOfTime = false;
  const timer = setTimeout(() => {
    outOfTime = true;
    stop();
  }, seconds * 1000);
  let output = '';
  for (const stream of [tlc.stdout, tlc.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const end = await new Promise<string>((resolve) => {
    tlc.once('error', ({ message }) => resolve(message));
    tlc.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  clearTimeout(timer);
  process.off('exit', stop);
  rmSync(dir, { recursive: true, force: true });

  const broken = /Invariant (\w+) is violated/.exec(output)?.[1];
  const steps = (output.match(/^State \d+:/gm)?.length ?? 1) - 1;
  const holds = output.includes('No error has been found');
  const verdict = broken
    ? `breaks ${broken} in ${steps} steps`
    : holds
      ? 'holds'
      : outOfTime
        ? `not finished in ${seconds} s`
        : `TLC failed: ${end}`;
  return {
    ok: run.breaks ? broken === run.breaks : holds,
    verdict,
    outcome: {
      run,
      verdict: broken ? 'breaks' : holds ? 'holds' : 'failed',
      steps,
      states: output.match(/[\d,]+(?= distinct states found)/g)?.at(-1) ?? '?',
    },
    seconds: (performance.now() - startedAt) / 1000,
    output,
  };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      all: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      jobs: { type: 'string', short: 'j', default: String(Math.min(4, availableParallelism())) },
      seconds: { type: 'string', short: 't', default: '900' },
      write: { type: 'boolean', default: false },
      verbose: { type: 'boolean', short: 'v', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const unknown = positionals.filter((name) => !RUNS.some((run) => run.name === name));
  if (unknown.length > 0) throw new Error(`No run is called ${unknown.join(', ')}. Names: npx pnpm spec --list`);
  const runs = positionals.length
    ? RUNS.filter(({ name }) => positionals.includes(name))
    : RUNS.filter(({ long }) => values.all || values.write || !long);
  if (values.list) return console.log(runs.map(({ name }) => name).join('\n'));

  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const classPath = await tlcClassPath();
  let failed = 0;
  const outcomes = new Map<Run, Outcome>();
  const waiting = [...runs];
  const lane = async (): Promise<void> => {
    for (let run = waiting.shift(); run; run = waiting.shift()) {
      const { ok, verdict, outcome, seconds, output } = await check(run, classPath, Number(values.seconds));
      if (!ok) failed++;
      if (ok) outcomes.set(run, outcome);
      console.log(
        `${ok ? 'ok  ' : 'FAIL'} ${run.name.padEnd(34)} ${verdict.padEnd(46)} ${outcome.states.padStart(11)} states ${seconds.toFixed(0).padStart(4)} s`,
      );
      if (verdict.startsWith('TLC failed') || (values.verbose && verdict.startsWith('breaks'))) console.log(output);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs)) }, lane));
  if (values.write)
    writeTables(
      PAGE,
      runs,
      runs.flatMap((run) => outcomes.get(run) ?? []),
    );
  console.log(`${runs.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
