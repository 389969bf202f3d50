import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commandLine } from './process-table.ts';

/** How to start a program so that it can be found again from its folder. */
export interface OwnProcessOptions {
  /** What to call it in messages. */
  name: string;
  /** Its own folder, absolute. The command line must mention it: this is how a process is recognized as ours. */
  dir: string;
  command: string;
  args: readonly string[];
}

/**
 * A program that runs on its own, with its process id in `<dir>/process.json` and its output in `<dir>/out.log`.
 *
 * The folder is the only state: any process that knows the folder can stop, kill or restart the program. A test that
 * kills Redis runs in another process than the one that started it and that will stop it at the end.
 */
export class OwnProcess {
  readonly options: OwnProcessOptions;
  readonly logFile: string;

  constructor(options: OwnProcessOptions) {
    this.options = options;
    this.logFile = path.join(options.dir, 'out.log');
  }

  /** The process id, or undefined when the program does not run. */
  get pid(): number | undefined {
    return runningPid(this.options.dir);
  }

  /** Starts the program; the output goes to the end of its log file. */
  start(): void {
    const { name, dir, command, args } = this.options;
    if (this.pid !== undefined) throw new Error(`${name} already runs (process ${this.pid}).`);
    mkdirSync(dir, { recursive: true });
    const log = openSync(this.logFile, 'a');
    try {
      // A session of its own: Ctrl-C in the terminal reaches the owner only, which stops its services in order.
      const child = spawn(command, args, { cwd: dir, detached: true, stdio: ['ignore', log, log] });
      // A program that cannot be started has no pid; waitUntilReady reports it.
      child.on('error', (error) => writeFileSync(this.logFile, `${error.message}\n`, { flag: 'a' }));
      child.unref();
      if (child.pid !== undefined) recordPid(dir, child.pid);
    } finally {
      closeSync(log);
    }
  }

  /**
   * Waits until the program answers.
   * @param answers resolves when it does, rejects when it does not yet
   * @throws when the program ends first or the deadline passes; the message ends with the tail of the log
   */
  async waitUntilReady(answers: () => Promise<void>, deadlineMs: number): Promise<void> {
    const { name } = this.options;
    const deadline = Date.now() + deadlineMs;
    let timesGone = 0;
    for (;;) {
      try {
        return await answers();
      } catch (error) {
        // Several looks: a program that is being executed, or gives itself a title, has no command line for a moment.
        timesGone = this.pid === undefined ? timesGone + 1 : 0;
        if (timesGone === 8) throw new Error(`${name} ended at its start.\n${this.logTail()}`, { cause: error });
        if (Date.now() > deadline) {
          throw new Error(`${name} did not answer within ${deadlineMs} ms.\n${this.logTail()}`, { cause: error });
        }
      }
      await delay(25);
    }
  }

  /** Sends a signal; does nothing when the program does not run. */
  signal(signal: NodeJS.Signals): void {
    sendSignal(this.pid, signal);
  }

  /** Kills the program (SIGKILL unless told otherwise) and waits until it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.signal(signal);
    await this.waitUntilGone(30_000);
  }

  /** Stops the program in its own time (SIGTERM), and with SIGKILL when that takes longer than `graceMs`. */
  async stop(graceMs = 10_000): Promise<void> {
    this.signal('SIGTERM');
    this.signal('SIGCONT');
    try {
      await this.waitUntilGone(graceMs);
    } catch {
      await this.kill();
    }
    rmSync(path.join(this.options.dir, 'process.json'), { force: true });
  }

  /** The last lines of the log, for error messages. */
  logTail(lines = 15): string {
    if (!existsSync(this.logFile)) return `(no log at ${this.logFile})`;
    const tail = readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
    return `The end of ${this.logFile}:\n${tail}`;
  }

  private async waitUntilGone(deadlineMs: number): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    while (this.pid !== undefined) {
      if (Date.now() > deadline) throw new Error(`${this.options.name} (process ${this.pid}) did not end.`);
      await delay(10);
    }
  }
}

/** The id of the process recorded in a folder when it still runs and is really ours, else undefined. */
export function runningPid(dir: string): number | undefined {
  const pid = recordedPid(dir);
  // A recorded id may belong to a stranger by now: ids are reused.
  return pid !== undefined && commandLine(pid)?.includes(`${dir}/`) ? pid : undefined;
}

/** Sends a signal to a process that may be gone already. */
export function sendSignal(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function recordPid(dir: string, pid: number): void {
  const file = path.join(dir, 'process.json');
  writeFileSync(`${file}.new`, `${JSON.stringify({ pid })}\n`);
  renameSync(`${file}.new`, file);
}

function recordedPid(dir: string): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(path.join(dir, 'process.json'), 'utf8')) as { pid?: unknown };
    return typeof pid === 'number' ? pid : undefined;
  } catch {
    return undefined;
  }
}
