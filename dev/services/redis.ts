import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePort } from './free-port.ts';
import { OwnProcess, runningPid } from './own-process.ts';
import { PROGRAMS, programPath } from './programs.ts';
import { redisAnswers } from './ready-checks.ts';
import { readState, writeState } from './service-state.ts';

const START_DEADLINE_MS = 30_000;

/** A Redis server of our own, with the durability settings that the ingester asks for in production. */
export class Redis {
  readonly port: number;
  readonly env: Record<string, string>;
  readonly #dataDir: string;
  readonly #process: OwnProcess;

  private constructor(dir: string, port: number) {
    this.port = port;
    this.env = { REDIS_URL: `redis://127.0.0.1:${port}` };
    this.#dataDir = path.join(dir, 'data');
    const command = programPath(PROGRAMS.redis);
    this.#process = new OwnProcess({ name: 'Redis', dir, command, args: [path.join(dir, 'redis.conf')] });
  }

  /** Starts Redis in `dir`, on the port and with the data of an earlier start there if there was one. */
  static async start(dir: string): Promise<Redis> {
    const port = await freePort(readState(dir)?.port);
    const redis = new Redis(dir, port);
    mkdirSync(redis.#dataDir, { recursive: true });
    writeFileSync(path.join(dir, 'redis.conf'), configuration(port, redis.#dataDir));
    writeState(dir, { port });
    await redis.restart();
    return redis;
  }

  /** The Redis that another process has started in `dir`. */
  static open(dir: string): Redis {
    const state = readState(dir);
    if (state === undefined) throw new Error(`No Redis was started in ${dir}.`);
    return new Redis(dir, state.port);
  }

  /** The Redis in `dir` when it runs. */
  static running(dir: string): Redis | undefined {
    return runningPid(dir) === undefined ? undefined : Redis.open(dir);
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get logFile(): string {
    return this.#process.logFile;
  }

  /** Sends a signal, such as SIGSTOP and SIGCONT to freeze and wake it. */
  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal);
  }

  /** Ends it at once, as a crash does. Writes of the last two seconds may be lost, acknowledged or not. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process.kill(signal);
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  /** Starts it again on the same port with the data it had; stops it first when it runs. */
  async restart(): Promise<void> {
    if (this.pid !== undefined) await this.stop();
    this.#process.start();
    await this.#process.waitUntilReady(() => redisAnswers('127.0.0.1', this.port), START_DEADLINE_MS);
  }

  /** Copies the data as it is now to the folder `to`; stops for that, since a running Redis holds some in memory. */
  async snapshot(to: string): Promise<void> {
    await this.stop();
    rmSync(to, { recursive: true, force: true });
    cpSync(this.#dataDir, to, { recursive: true });
    await this.restart();
  }

  /** Comes back with the data of an earlier snapshot, as after a failover to a replica that lagged behind. */
  async restore(from: string): Promise<void> {
    await this.kill();
    rmSync(this.#dataDir, { recursive: true, force: true });
    cpSync(from, this.#dataDir, { recursive: true });
    await this.restart();
  }

  /** Comes back with no data at all. */
  async wipe(): Promise<void> {
    await this.kill();
    rmSync(this.#dataDir, { recursive: true, force: true });
    mkdirSync(this.#dataDir);
    await this.restart();
  }
}

function configuration(port: number, dataDir: string): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${JSON.stringify(dataDir)}`,
    'appendonly yes',
    'appendfsync everysec',
    'maxmemory-policy noeviction',
    'save ""',
    // Keeps the path of this file in the command line, by which the process is recognized as ours.
    'set-proc-title no',
    '',
  ].join('\n');
}
