import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { pollUntil, type PollOptions } from './poll-until.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const MAINS = {
  scanner: 'apps/scanner/src/main.ts',
  worker: 'apps/worker/src/main.ts',
  dashboard: 'apps/dashboard/src/main.ts',
  'faulty-scanner': 'tests/support/faulty-scanner.ts',
  'faulty-worker': 'tests/support/faulty-worker.ts',
} as const;

/** Settings that make everything happen soon. A test adds its own. */
export const FAST: Record<string, string> = {
  SCAN_INTERVAL_MS: '150',
  STABLE_FOR_MS: '200',
  INCOMPLETE_AFTER_MS: '1500',
  JOB_LOCK_MS: '1500',
  TRANSACTION_TIMEOUT_MS: '60000',
  SHUTDOWN_GRACE_MS: '3000',
  WORKER_CONCURRENCY: '2',
  METRICS_PORT: '0',
  LOG_LEVEL: 'debug',
};

export interface LogLine {
  readonly msg?: string;
  readonly level?: string;
  readonly [field: string]: unknown;
}

/** An app as a process of its own, as it runs in production. */
export class AppProcess {
  readonly lines: LogLine[] = [];
  /** What was no JSON line: crashes, mostly. */
  readonly other: string[] = [];
  readonly child: ChildProcess;
  private readonly name: string;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        try {
          this.lines.push(JSON.parse(line) as LogLine);
        } catch {
          this.other.push(line);
        }
      });
    }
  }

  /** Starts an app with nothing in its environment but what is given; it is killed when the test ends. */
  static start(app: keyof typeof MAINS, env: Record<string, string>): AppProcess {
    const child = spawn(
      process.execPath,
      ['--disable-warning=TimeoutNegativeWarning', '--conditions=@cdr/source', path.join(ROOT, MAINS[app])],
      { cwd: ROOT, env: { PATH: process.env['PATH'] ?? '', ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const started = new AppProcess(app, child);
    onTestFinished(async ({ task }) => {
      if (task.result?.state === 'fail') console.error(started.tail());
      await started.kill();
    });
    return started;
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** The first log line that fits, now or later. */
  async untilLine(what: string, fits: (line: LogLine) => boolean, options?: PollOptions): Promise<LogLine> {
    return pollUntil(`${this.name} to log ${what}`, () => this.lines.find(fits), options);
  }

  async untilMessage(pattern: RegExp, options?: PollOptions): Promise<LogLine> {
    return this.untilLine(String(pattern), (line) => pattern.test(line.msg ?? ''), options);
  }

  /** Resolves when a faulty worker or scanner has come to its point. */
  async untilFault(options?: PollOptions): Promise<void> {
    await this.untilLine('its fault', (line) => 'fault' in line, options);
  }

  /** Where its /healthz, /readyz and /metrics are. */
  async healthUrl(): Promise<string> {
    const { port } = await this.untilLine('its port', (line) => typeof line['port'] === 'number');
    return `http://127.0.0.1:${String(port)}`;
  }

  /** The sum of a metric over its labels; 0 when it is not there. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${await this.healthUrl()}/metrics`)).text();
    const values = text.matchAll(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'gm'));
    return [...values].reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /** Resolves when a scanner has done that many more scans, begun and ended. */
  async untilScans(count: number): Promise<void> {
    const before = await this.metric('cdr_scanner_scans_total');
    // the scan under way may have begun before: one more
    await pollUntil(`${count} more scans`, async () => (await this.metric('cdr_scanner_scans_total')) > before + count);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends the signal and waits for the end. Returns the exit code, or the signal that ended it. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    this.child.kill(signal);
    return this.ended();
  }

  async ended(): Promise<number | NodeJS.Signals> {
    if (!this.hasExited) await once(this.child, 'exit');
    return this.child.exitCode ?? this.child.signalCode ?? -1;
  }

  async kill(): Promise<void> {
    if (!this.hasExited) await this.end('SIGKILL');
  }

  /** The last lines, for a failed test's output. */
  tail(): string {
    const lines = this.lines.slice(-40).map((line) => JSON.stringify(line));
    return [`--- ${this.name} ${this.pid}`, ...lines, ...this.other.slice(-20)].join('\n');
  }
}
