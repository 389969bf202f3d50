import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { OwnProcess } from '../dev/services/own-process.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
/** As the scripts of package.json start scanner and worker. */
const FLAGS = [
  '--disable-warning=TimeoutNegativeWarning',
  '--max-semi-space-size=4',
  '--heap-growing-percent=50',
  '--conditions=@cdr/source',
];
const LOOK_EVERY_MS = 10;
/** USER_HZ: what /proc counts in, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
/** A process that logs and does nothing else for so long hangs. */
const SILENT_AT_MOST_MS = 900_000;

/** A line of a program's log: pino's, or one that a program of the benchmark prints in the same form. */
export interface LogLine {
  readonly msg?: string;
  readonly level?: string;
  /** ISO 8601. */
  readonly time?: string;
  readonly [field: string]: unknown;
}

/** What a process has used since it began, as the kernel counts it. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly peakRssMb: number;
}

export interface MeasuredProcessOptions {
  readonly name: string;
  /** Of the instance of the services: the process is stopped with them, whatever happens to the benchmark. */
  readonly instanceDir: string;
  /** A TypeScript program, from the root of the repository. */
  readonly program: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly nodeFlags?: readonly string[];
}

/** A Node program as a process of its own, watched from outside: its log, its CPU time, its memory. */
export class MeasuredProcess {
  readonly #options: MeasuredProcessOptions;
  readonly #process: OwnProcess;
  readonly #lines: LogLine[] = [];
  #log = -1;
  #read = 0;
  #rest = '';
  #pid = -1;

  private constructor(options: MeasuredProcessOptions) {
    const dir = path.join(options.instanceDir, options.name);
    this.#options = options;
    this.#process = new OwnProcess({
      name: options.name,
      dir,
      command: process.execPath,
      args: [
        ...FLAGS,
        ...(options.nodeFlags ?? []),
        `--env-file=${path.join(dir, 'settings.env')}`,
        path.join(ROOT, options.program),
      ],
    });
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    // a file, so that passwords do not show in the list of processes
    const lines = Object.entries(options.settings).map(([name, value]) => `${name}='${value}'\n`);
    writeFileSync(path.join(dir, 'settings.env'), lines.join(''), { mode: 0o600 });
  }

  static start(options: MeasuredProcessOptions): MeasuredProcess {
    const started = new MeasuredProcess(options);
    started.#process.start();
    started.#log = openSync(started.#process.logFile, 'r');
    started.#pid = recordedPid(started.#process.options.dir);
    return started;
  }

  /** Everything logged so far. */
  get lines(): readonly LogLine[] {
    this.#readLog();
    return this.#lines;
  }

  get hasEnded(): boolean {
    return stateOf(this.#pid) === undefined;
  }

  /**
   * Waits until `done` finds what it looks for in the log. Throws with the log's end when the process ends, or has
   * nothing more to say, before.
   */
  async until<Result>(done: (lines: readonly LogLine[]) => Result | undefined): Promise<Result> {
    let seen = 0;
    let silentSince = Date.now();
    for (;;) {
      const ended = this.hasEnded;
      const lines = this.lines;
      const found = done(lines);
      if (found !== undefined) return found;
      if (lines.length > seen) silentSince = Date.now();
      seen = lines.length;
      if (ended || Date.now() - silentSince > SILENT_AT_MOST_MS)
        throw new Error(`${this.#options.name} ${ended ? 'ended' : 'is silent'}.\n${this.#process.logTail()}`);
      await delay(LOOK_EVERY_MS);
    }
  }

  /** Waits for the line that begins so. */
  async untilLine(beginning: string): Promise<LogLine> {
    return this.until((lines) => lines.find(({ msg }) => msg?.startsWith(beginning)));
  }

  /** CPU time of all its threads, user and system, and the most memory it had at a time. */
  usage(): Usage {
    const stat = stateOf(this.#pid);
    if (stat === undefined) throw new Error(`${this.#options.name} has ended.\n${this.#process.logTail()}`);
    const peakKb = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.#pid}/status`, 'utf8'))?.[1] ?? 0);
    return { cpuSeconds: stat.ticks / TICKS_PER_SECOND, peakRssMb: peakKb / 1024 };
  }

  /** Asks it to leave and waits until it has. */
  async stop(): Promise<void> {
    if (!this.hasEnded) await this.#process.stop(60_000);
    this.#readLog();
    if (this.#log >= 0) closeSync(this.#log);
    this.#log = -1;
  }

  #readLog(): void {
    if (this.#log < 0) return;
    const { size } = fstatSync(this.#log);
    if (size <= this.#read) return;
    const bytes = Buffer.alloc(size - this.#read);
    this.#read += readSync(this.#log, bytes, 0, bytes.length, this.#read);
    const lines = (this.#rest + bytes.toString('utf8')).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const parsed = parseLine(line);
      if (parsed) this.#lines.push(parsed);
    }
  }
}

function parseLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined;
  }
}

function recordedPid(dir: string): number {
  const { pid } = JSON.parse(readFileSync(path.join(dir, 'process.json'), 'utf8')) as { pid: number };
  return pid;
}

/** CPU time of a process in clock ticks; undefined when it has ended. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function stateOf(pid: number): { ticks: number } | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // the name in brackets may hold blanks and brackets itself
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : { ticks: Number(fields[11]) + Number(fields[12]) };
}
