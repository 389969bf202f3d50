import { execFile } from 'node:child_process';
import { chownSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Feed } from '@cdr/core/feeds';
import { fileKeyOf } from '@cdr/core/job-id';
import { IngestQueue } from '@cdr/queue/ingest-queue';
import { JobViews } from '@cdr/queue/job-views';
import { openCommandConnection, untilReady, type Redis } from '@cdr/queue/redis-connection';
import { scannerConfig, type ScannerConfig } from '../../apps/scanner/src/config.ts';
import { SftpFiles } from '../../tests/support/sftp-files.ts';
import { DemoApp } from '../demo/demo-app.ts';
import type { Parts } from '../services/parts.ts';
import type { RoundSettings } from './fuzz-file.ts';

const run = promisify(execFile);
const CLI = path.resolve(import.meta.dirname, '../../apps/cli/src/main.ts');
const WORKERS = 2;
const LOOK_EVERY_MS = 100;
const NO_PROGRESS_MS = 90_000;
/** Scans after everything is done: what would be enqueued again and again shows. */
const SCANS_AFTERWARDS = 3;

const FUZZ_SETTINGS = {
  SCAN_INTERVAL_MS: '200',
  STABLE_FOR_MS: '300',
  INCOMPLETE_AFTER_MS: '500',
  JOB_LOCK_MS: '10000',
  WORKER_CONCURRENCY: '3',
  TRANSACTION_TIMEOUT_MS: '300000',
  METRICS_PORT: '0',
  LOG_LEVEL: 'debug',
};

/** What the log of a round's processes tells. */
export interface LogFinding {
  readonly problems: readonly string[];
  /** Everything that was logged. */
  readonly text: string;
}

/** The ingester of one round: topics, keys and a directory of its own, and processes that live as long as the round. */
export class FuzzDeployment {
  readonly config: ScannerConfig;
  readonly files: SftpFiles;
  readonly #env: Record<string, string>;
  readonly #scanner: DemoApp;
  readonly #workers: readonly DemoApp[];
  readonly #redis: Redis;
  readonly #queue: IngestQueue;
  readonly #jobs: JobViews;
  readonly #pids = new Map<DemoApp, number | undefined>();

  constructor(parts: Parts, round: number, settings: RoundSettings) {
    const { sshd } = parts;
    if (!sshd) throw new Error('The fuzzer needs an SFTP server of its own: unset SFTP_HOST in the environment.');
    const id = `fuzz-${round}`;
    const remotePath = path.posix.join(parts.env['SFTP_REMOTE_PATH'] ?? '/upload', id);
    const env = {
      ...parts.env,
      ...FUZZ_SETTINGS,
      SFTP_REMOTE_PATH: remotePath,
      REDIS_PREFIX: id,
      CDR_DATA_TOPIC: `${id}-data`,
      CDR_VOICE_TOPIC: `${id}-voice`,
      CDR_REJECTS_TOPIC: `${id}-rejects`,
      CDR_LEDGER_TOPIC: `${id}-ledger`,
      FIELD_CHECKS: settings.fieldChecks,
      MAX_LINE_BYTES: String(settings.maxLineBytes),
      MAX_REJECT_RATIO: String(settings.maxRejectRatio),
      TRANSACTION_MAX_RECORDS: String(settings.transactionMaxRecords),
      COMPRESSION: settings.compression,
    };
    this.#env = env;
    const app = (name: string, kind: 'scanner' | 'worker'): DemoApp =>
      new DemoApp({ name: `${id}-${name}`, app: kind, instanceDir: parts.instance.dir, settings: env });
    this.config = scannerConfig(env, (file) => readFileSync(file, 'utf8'));
    this.files = new SftpFiles(path.join(sshd.uploadDir, id), remotePath);
    this.#scanner = app('scanner', 'scanner');
    this.#workers = Array.from({ length: WORKERS }, (_, i) => app(`worker-${i + 1}`, 'worker'));
    const { redis } = this.config;
    this.#redis = openCommandConnection(redis, () => undefined);
    this.#queue = new IngestQueue(redis, this.#redis, () => undefined);
    this.#jobs = new JobViews(this.#queue);
  }

  get feeds(): readonly Feed[] {
    return this.config.feeds;
  }

  /** Puts a file on the server, under a name that need not be text. */
  put(name: Buffer, content: Buffer): void {
    const file = Buffer.concat([Buffer.from(`${this.files.localDir}${path.sep}`), name]);
    writeFileSync(file, content);
    const { uid, gid } = statSync(this.files.localDir);
    if (process.getuid?.() === 0) chownSync(file, uid, gid);
  }

  /** How many files of the directory are there. */
  countFiles(): number {
    return this.files.names().length;
  }

  async start(): Promise<void> {
    const apps = [this.#scanner, ...this.#workers];
    for (const app of apps) await app.start();
    await Promise.all([...apps.map((app) => app.untilReady()), untilReady(this.#redis), this.#queue.untilReady()]);
    for (const app of apps) this.#pids.set(app, app.pid);
  }

  /**
   * Resolves when so many jobs have ended and the scanner has looked again some times. Says what is wrong when that does
   * not come: a process that ended, jobs that do not, or more of them than files.
   */
  async untilDone(files: number): Promise<string[]> {
    let lastEnded = -1;
    let movedAt = performance.now();
    for (;;) {
      const crashes = this.crashes();
      if (crashes.length > 0) return crashes;
      const { waiting, active, delayed, completed, failed } = await this.#queue.counts();
      const ended = completed + failed;
      const open = waiting + active + delayed;
      if (ended >= files && open === 0) break;
      if (ended !== lastEnded) movedAt = performance.now();
      lastEnded = ended;
      if (performance.now() - movedAt > NO_PROGRESS_MS)
        return [`nothing has ended for ${NO_PROGRESS_MS / 1000} s: ${ended} of ${files} jobs ended, ${open} open`];
      await delay(LOOK_EVERY_MS);
    }
    const scans = (): Promise<number> => this.#scanner.counter('cdr_scanner_scans_total').then((n) => n ?? 0);
    const before = await scans();
    const deadline = performance.now() + NO_PROGRESS_MS;
    while ((await scans()) <= before + SCANS_AFTERWARDS) {
      if (performance.now() > deadline) return ['the scanner does not scan any more'];
      await delay(LOOK_EVERY_MS);
    }
    const { waiting, active, delayed, completed, failed } = await this.#queue.counts();
    return waiting + active + delayed === 0 && completed + failed === files
      ? this.crashes()
      : [`of ${files} files, ${completed + failed} jobs ended and ${waiting + active + delayed} are open`];
  }

  /** Files whose job failed, with the code. */
  async failures(): Promise<Map<string, string>> {
    const failures = new Map<string, string>();
    for await (const { file, failure } of this.#jobs.failed()) failures.set(file, failure?.code ?? 'unknown');
    return failures;
  }

  /** Files that have a job. */
  async jobFiles(): Promise<string[]> {
    const ids = await this.#queue.bullQueue.getRanges(['completed', 'failed', 'wait', 'active', 'delayed'], 0, -1);
    return ids.map((id) => fileKeyOf(id) ?? `an id that is none of ours: ${id}`);
  }

  /** Has `cdr audit` count all of it; says what it does not find exact. */
  async audit(): Promise<string[]> {
    const flags = ['--disable-warning=TimeoutNegativeWarning', '--conditions=@cdr/source'];
    const env = { PATH: process.env['PATH'] ?? '', ...this.#env };
    try {
      await run(process.execPath, [...flags, CLI, 'audit'], { env, maxBuffer: 64 * 1024 * 1024 });
      return [];
    } catch (error) {
      // exit code 1 when a file is not exact, with the files before the totals
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      return [`cdr audit: ${(stdout + stderr).slice(0, 2_000)}`];
    }
  }

  /** Processes that are not the ones that were started. */
  crashes(): string[] {
    return [...this.#pids].flatMap(([app, pid]) =>
      app.pid === pid ? [] : [`${app.name} has ended:\n${app.logTail(5)}`],
    );
  }

  /** Every line must be one of JSON, and no error but a refused file. */
  readLogs(): LogFinding {
    const problems: string[] = [];
    const texts = [this.#scanner, ...this.#workers].map(({ name, logFile }) => {
      const text = readFileSync(logFile, 'utf8');
      for (const line of text.split('\n'))
        if (line !== '') problems.push(...problemsOf(line).map((what) => `${name} ${what}`));
      return text;
    });
    return { problems, text: texts.join('') };
  }

  /** Asks the processes to leave, and deletes the files from the server. */
  async stop(): Promise<string[]> {
    const apps = [this.#scanner, ...this.#workers];
    await Promise.all(apps.map((app) => app.stop()));
    await this.#queue.close().catch(() => undefined);
    this.#redis.disconnect();
    rmSync(this.files.localDir, { recursive: true, force: true });
    return apps.flatMap((app) => (app.isRunning ? [`${app.name} does not leave`] : []));
  }
}

const REFUSALS = ['bad-header', 'too-many-rejects'];

function problemsOf(line: string): string[] {
  let entry: { level?: string; msg?: string; code?: string };
  try {
    entry = JSON.parse(line) as typeof entry;
  } catch {
    return [`logged what is no JSON: ${line.slice(0, 300)}`];
  }
  const isBad = entry.level === 'error' || entry.level === 'fatal';
  return isBad && !REFUSALS.includes(entry.code ?? '') ? [`logged: ${line.slice(0, 600)}`] : [];
}
