import { rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { addressesInEnvironment, type Addresses } from './addresses.ts';
import { claimInstance, instanceNamed, releaseInstance, runningServices, serviceDirs } from './instance.ts';
import type { Instance } from './instance.ts';
import { withLock } from './file-lock.ts';
import { Kafka } from './kafka.ts';
import { hasKafkaLibs } from './kafka-libs.ts';
import { sendSignal } from './own-process.ts';
import { ensurePrograms, PROGRAMS, type Program } from './programs.ts';
import { Redis } from './redis.ts';
import { Sshd } from './sshd.ts';

/** How to start the parts. */
export interface PartsOptions {
  /** Which set: `demo`, `test`, `bench`... While another process has it, `demo-2` and so on is taken. */
  instance: string;
  brokers?: 1 | 3;
  /** See KafkaOptions. */
  optimized?: boolean;
  progress?: (line: string) => void;
}

/**
 * The running parts. A part whose address came from the environment has no handle: it is not ours to stop or kill.
 */
export interface Parts {
  instance: Instance;
  /** Everything the ingester's settings need, by the names of its environment variables. */
  env: Record<string, string>;
  redis?: Redis;
  sshd?: Sshd;
  kafka?: Kafka;
}

/** Parts that end with this process. */
export interface OwnedParts extends Parts {
  /** Stops them and deletes their data; logs stay in the instance's folder until its next start. */
  stop(): Promise<void>;
}

/**
 * Starts sshd, Redis and Kafka with no data, for this process alone. They are stopped by `stop()`, or when this process
 * exits in any way it can notice; after a SIGKILL the next start of the instance cleans up.
 */
export async function startParts(options: PartsOptions): Promise<OwnedParts> {
  const instance = claimInstance(options.instance);
  const forget = killOnExit(instance);
  const stop = async () => {
    killEverything(instance);
    await untilGone(instance);
    Sshd.deleteTraces(instance);
    for (const dir of serviceDirs(instance)) rmSync(path.join(dir, 'data'), { recursive: true, force: true });
    forget();
    releaseInstance(instance);
  };
  try {
    killEverything(instance);
    await untilGone(instance);
    rmSync(instance.dir, { recursive: true, force: true });
    Sshd.deleteTraces(instance);
    return { ...(await startMissing(instance, options)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Starts the parts so that they go on after this process, or joins those that run already.
 * They keep their ports and data over stop and start.
 */
export async function startDetachedParts(options: PartsOptions): Promise<Parts> {
  const instance = instanceNamed(options.instance);
  return withLock(`${instance.dir}.lock`, 180_000, () => startMissing(instance, options));
}

/** The parts that another process has started for an instance. */
export function openParts(instance: Instance): Parts {
  const given = addressesInEnvironment(process.env);
  return withEnv(instance, given, {
    ...(given.redis ? {} : { redis: Redis.open(redisDir(instance)) }),
    ...(given.sshd ? {} : { sshd: Sshd.open(instance) }),
    ...(given.kafka ? {} : { kafka: Kafka.open(instance) }),
  });
}

/** The addresses of what runs of an instance now. */
export function runningAddresses(instance: Instance): Record<string, string> {
  return {
    ...Sshd.running(instance)?.env,
    ...Redis.running(redisDir(instance))?.env,
    ...Kafka.running(instance)?.env,
  };
}

/** Stops what runs of an instance, each part in its own time, and keeps the data. Returns how many processes ran. */
export async function stopParts(instance: Instance): Promise<number> {
  const running = runningServices(instance);
  const names = running.map(({ dir }) => path.basename(dir));
  const stops: Promise<void>[] = [];
  if (names.includes('redis')) stops.push(Redis.open(redisDir(instance)).stop());
  if (names.includes('sshd')) stops.push(Sshd.open(instance).stop());
  if (names.some((name) => name.startsWith('kafka-'))) stops.push(Kafka.open(instance).stop());
  await Promise.all(stops);
  return running.length;
}

/** Deletes everything an instance has, on the machine and in the checkout. Its services must be stopped. */
export function deleteParts(instance: Instance): void {
  Sshd.deleteTraces(instance);
  rmSync(instance.dir, { recursive: true, force: true });
}

type Handles = Pick<Parts, 'redis' | 'sshd' | 'kafka'>;

async function startMissing(instance: Instance, options: PartsOptions): Promise<Parts> {
  const { brokers = 1, optimized = false, progress = () => {} } = options;
  const given = addressesInEnvironment(process.env);
  const programs: Program[] = [];
  if (!given.redis) programs.push(PROGRAMS.redis);
  if (!given.sshd) programs.push(PROGRAMS.sshd, PROGRAMS.sshKeygen);
  if (!given.kafka) programs.push(PROGRAMS.java, ...(hasKafkaLibs() ? [] : [PROGRAMS.maven]));
  await ensurePrograms(programs, progress);

  // All of them are waited for even when one fails: whoever stops the rest must not miss one that is still starting.
  const [redis, sshd, kafka] = await Promise.allSettled([
    (async () => (given.redis ? undefined : (Redis.running(redisDir(instance)) ?? Redis.start(redisDir(instance)))))(),
    (async () => (given.sshd ? undefined : (Sshd.running(instance) ?? Sshd.start(instance))))(),
    (async () =>
      given.kafka
        ? undefined
        : (runningKafka(instance, brokers) ?? Kafka.start(instance, { brokers, optimized, progress })))(),
  ]);
  return withEnv(instance, given, {
    ...handle('redis', redis),
    ...handle('sshd', sshd),
    ...handle('kafka', kafka),
  });
}

function runningKafka(instance: Instance, brokers: number): Kafka | undefined {
  const kafka = Kafka.running(instance);
  if (kafka === undefined || kafka.brokers.length === brokers) return kafka;
  throw new Error(`Kafka runs with ${kafka.brokers.length} broker(s) and not with ${brokers}: stop it first.`);
}

function handle<Name extends keyof Handles>(
  name: Name,
  started: PromiseSettledResult<Handles[Name]>,
): Pick<Handles, Name> | Record<string, never> {
  if (started.status === 'rejected') throw started.reason;
  return started.value === undefined ? {} : ({ [name]: started.value } as Pick<Handles, Name>);
}

function withEnv(instance: Instance, given: Addresses, handles: Handles): Parts {
  const env = {
    ...(given.sshd ?? handles.sshd?.env),
    ...(given.redis ?? handles.redis?.env),
    ...(given.kafka ?? handles.kafka?.env),
  };
  return { instance, env, ...handles };
}

function redisDir(instance: Instance): string {
  return path.join(instance.dir, 'redis');
}

/** Kills what runs of an instance, at once and without waiting: this is all that a process can do while it exits. */
function killEverything(instance: Instance): void {
  const sessions = Sshd.sessionsOf(instance);
  for (const pid of [...runningServices(instance).map((service) => service.pid), ...sessions])
    sendSignal(pid, 'SIGKILL');
}

async function untilGone(instance: Instance): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (runningServices(instance).length > 0 || Sshd.sessionsOf(instance).length > 0) {
    if (Date.now() > deadline)
      throw new Error(`Services of the instance "${instance.name}" do not end: ${instance.dir}`);
    await delay(10);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Has the instance killed when this process ends by itself, by an uncaught error or by a signal. */
function killOnExit(instance: Instance): () => void {
  const onExit = () => {
    killEverything(instance);
    releaseInstance(instance);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    // Somebody else in this process handles the signal and will come to stop() or to an exit in its own way.
    if (process.listenerCount(signal) > 1) return;
    onExit();
    forget();
    process.kill(process.pid, signal);
  };
  const forget = () => {
    process.off('exit', onExit);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  process.on('exit', onExit);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return forget;
}
