import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { OwnProcess } from '../services/own-process.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const READY_DEADLINE_MS = 60_000;
const SEEN_DEADLINE_MS = 1_000;

/** The line that every app logs first. */
interface StartLine {
  readonly msg: string;
  /** Of /readyz and /metrics. */
  readonly port: number;
  /** A worker's name in the ledger. */
  readonly worker?: string;
}

/** Where an app of the demo lives and how it is set. */
export interface DemoAppOptions {
  readonly name: string;
  readonly app: 'scanner' | 'worker' | 'dashboard';
  /** The folder of the instance of the services; the app gets a folder in it and is stopped with them. */
  readonly instanceDir: string;
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * The main program of an app as a process of its own. Its settings are in a file in its folder, so that passwords do not
 * show in the list of processes; a variable of this process would win over the file, so there must be none.
 */
export class DemoApp {
  readonly name: string;
  /** `logs/NAME.log` of the instance. */
  readonly logFile: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #process: OwnProcess;
  #startLine: StartLine | undefined;

  constructor({ name, app, instanceDir, settings }: DemoAppOptions) {
    const dir = path.join(instanceDir, name);
    const main = path.join(ROOT, 'apps', app, 'src/main.ts');
    // as the scripts of package.json start it
    const young = app === 'dashboard' ? [] : ['--max-semi-space-size=4', '--heap-growing-percent=50'];
    const flags = ['--disable-warning=TimeoutNegativeWarning', ...young, '--conditions=@cdr/source'];
    this.name = name;
    this.logFile = path.join(instanceDir, 'logs', `${name}.log`);
    this.#settings = settings;
    this.#process = new OwnProcess({
      name,
      dir,
      command: process.execPath,
      args: [...flags, `--env-file=${path.join(dir, 'settings.env')}`, main],
    });
  }

  /** Of the process, while it runs. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.pid !== undefined;
  }

  /** Starts the process and does not wait until it is ready. The log goes on where the last one ended. */
  async start(): Promise<void> {
    const { dir } = this.#process.options;
    mkdirSync(dir, { recursive: true });
    mkdirSync(path.dirname(this.logFile), { recursive: true });
    const lines = Object.entries(this.#settings).map(([name, value]) => `${name}=${quoted(value)}\n`);
    writeFileSync(path.join(dir, 'settings.env'), lines.join(''), { mode: 0o600 });
    rmSync(this.logFile, { force: true });
    symlinkSync(path.relative(path.dirname(this.logFile), this.#process.logFile), this.logFile);
    this.#startLine = undefined;
    this.#process.start();
    // for a moment a program that is being started has no command line to be recognized by
    const deadline = Date.now() + SEEN_DEADLINE_MS;
    while (!this.isRunning && Date.now() < deadline) await delay(1);
  }

  /** Resolves when the app says that it is ready; throws with the end of its log when it ends before. */
  async untilReady(): Promise<void> {
    await this.#process.waitUntilReady(async () => {
      const { status } = await this.#get('/readyz');
      if (status !== 200) throw new Error(`${this.name} is not ready yet.`);
    }, READY_DEADLINE_MS);
  }

  /** A worker's name in the ledger; undefined as long as it has not said it. */
  get workerName(): string | undefined {
    return this.#said()?.worker;
  }

  /** A counter of its metrics, summed over its labels; undefined while it does not answer. */
  async counter(name: string): Promise<number | undefined> {
    try {
      const { body } = await this.#get('/metrics');
      const samples = body.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'));
      return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
    } catch {
      return undefined;
    }
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** Asks it to leave (SIGTERM) and waits until it has. */
  async stop(): Promise<void> {
    await this.#process.stop();
  }

  logTail(lines: number): string {
    return this.#process.logTail(lines);
  }

  async #get(page: string): Promise<{ status: number; body: string }> {
    const port = this.#said()?.port;
    if (port === undefined) throw new Error(`${this.name} has not named its port yet.`);
    const response = await fetch(`http://127.0.0.1:${port}${page}`, { signal: AbortSignal.timeout(2_000) });
    return { status: response.status, body: await response.text() };
  }

  /** What the app said of itself at its last start; the log may hold earlier ones. */
  #said(): StartLine | undefined {
    if (this.#startLine !== undefined) return this.#startLine;
    const lines = readFileSync(this.#process.logFile, 'utf8').split('\n').map(parseStartLine);
    const last = lines.findLast((line) => line !== undefined);
    if (last?.worker?.endsWith(`-${this.pid}`) !== false) this.#startLine = last;
    return this.#startLine;
  }
}

function parseStartLine(line: string): StartLine | undefined {
  if (!line.includes(' starting"')) return undefined;
  try {
    const start = JSON.parse(line) as Partial<StartLine>;
    return typeof start.port === 'number' && start.msg?.endsWith(' starting') ? (start as StartLine) : undefined;
  } catch {
    return undefined;
  }
}

/** As Node's --env-file reads it: it knows no escapes, only three kinds of quotes. */
function quoted(value: string): string {
  const quote = ["'", '"', '`'].find((candidate) => !value.includes(candidate));
  if (quote === undefined) throw new Error('A setting with all three kinds of quotes cannot be handed on.');
  return `${quote}${value}${quote}`;
}
