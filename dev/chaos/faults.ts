import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { changeEntry } from '@cdr/ledger/change-entry';
import type { ApiName, FaultAction, RequestFault } from '../../tests/support/kafka-proxy.ts';
import type { DemoApp } from '../demo/demo-app.ts';
import { sendSignal } from '../services/own-process.ts';
import type { Random } from './random.ts';
import type { SoakDeployment } from './soak-deployment.ts';

/** What was decided of a fault by the seed alone, before anything is asked of the running system. */
export interface FaultPlan {
  readonly kind: FaultKind;
  /** How long it lasts before it is healed. */
  readonly holdMs: number;
  /** For whatever the fault has to choose. */
  readonly random: Random;
}

/** A worker that was killed, by its name in the queue. */
export interface DeadWorker {
  readonly worker: string | undefined;
  readonly at: number;
}

/** A fault that is being done. */
export interface RunningFault {
  readonly dead?: DeadWorker;
  /** To whom or what, for the schedule. */
  readonly target: string;
  /** Undoes it; resolves when what was stopped runs again. */
  readonly heal: () => Promise<void>;
}

export interface FaultKind {
  readonly name: string;
  /** What cannot be used while it lasts, by all workers; their CPU is measured then. */
  readonly away?: 'kafka' | 'redis' | 'sftp';
  /** Longest and shortest, in ms; none for what is over at once. */
  readonly holdMs?: readonly [from: number, to: number];
  /** Whether it can be done with so many brokers. */
  readonly fits?: (brokers: number) => boolean;
  /** How often it is drawn, beside the others; 2 unless told. */
  readonly weight?: number;
  readonly begin: (
    deployment: SoakDeployment,
    random: Random,
    committed: () => readonly string[],
  ) => Promise<RunningFault>;
}

const APIS: readonly ApiName[] = ['endTxn', 'endTxn', 'initProducerId', 'produce', 'addPartitionsToTxn', 'fetch'];
const LOSSES: readonly FaultAction[] = ['lose-answer', 'lose-answer', 'lose-request'];
const nothing = async (): Promise<void> => undefined;

/** Everything that is done to the ingester and its services. */
export const FAULTS: readonly FaultKind[] = [
  {
    name: 'worker-killed',
    weight: 5,
    holdMs: [0, 3_000],
    begin: async ({ workers }, random) => {
      const worker = random.pick(mortal(workers));
      const dead = { worker: worker.workerName, at: performance.now() };
      await worker.kill();
      return { target: worker.name, heal: () => worker.start(), dead };
    },
  },
  {
    name: 'worker-frozen',
    weight: 4,
    // well past the lock, so that a successor has the file when it wakes
    holdMs: [4_000, 12_000],
    begin: async ({ workers }, random) => freeze(random.pick(workers)),
  },
  {
    name: 'worker-stopped',
    holdMs: [0, 2_000],
    begin: async ({ workers }, random) => {
      const worker = random.pick(mortal(workers));
      await worker.stop();
      return { target: worker.name, heal: () => worker.start() };
    },
  },
  {
    name: 'all-workers-frozen',
    holdMs: [4_000, 9_000],
    begin: async ({ workers }) => {
      const frozen = workers.map(freeze);
      return { target: 'all', heal: async () => void (await Promise.all(frozen.map(({ heal }) => heal()))) };
    },
  },
  {
    name: 'scanner-killed',
    holdMs: [0, 3_000],
    begin: async ({ scanner }) => {
      await scanner.kill();
      return { target: scanner.name, heal: () => scanner.start() };
    },
  },
  { name: 'scanner-frozen', holdMs: [2_000, 20_000], begin: async ({ scanner }) => freeze(scanner) },
  {
    name: 'two-scanners',
    holdMs: [4_000, 10_000],
    begin: async ({ secondScanner, redis, config }) => {
      await secondScanner.start();
      // both at once, as far as the lease can be kept from them
      const drop = (): void => void redis.del(`${config.redis.prefix}:scan-lease`).catch(() => undefined);
      const timer = setInterval(drop, 100);
      return {
        target: secondScanner.name,
        heal: async () => {
          clearInterval(timer);
          await secondScanner.kill();
        },
      };
    },
  },
  {
    name: 'redis-killed',
    away: 'redis',
    holdMs: [1_000, 10_000],
    begin: async ({ services: { redis } }) => {
      await redis.kill();
      return { target: 'Redis', heal: () => redis.restart() };
    },
  },
  {
    name: 'redis-frozen',
    away: 'redis',
    holdMs: [2_000, 10_000],
    begin: async ({ services: { redis } }) => {
      redis.signal('SIGSTOP');
      return { target: 'Redis', heal: async () => redis.signal('SIGCONT') };
    },
  },
  {
    name: 'redis-flushed',
    begin: async ({ redis }) => {
      await redis.flushall();
      return { target: 'Redis', heal: nothing };
    },
  },
  {
    name: 'redis-rolled-back',
    holdMs: [3_000, 12_000],
    begin: async ({ services: { redis }, snapshotDir }) => {
      await redis.snapshot(snapshotDir);
      return { target: 'Redis', heal: () => redis.restore(snapshotDir) };
    },
  },
  {
    name: 'redis-out-of-memory',
    holdMs: [2_000, 8_000],
    begin: async ({ redis }) => {
      await redis.config('SET', 'maxmemory', '1mb');
      return { target: 'Redis', heal: async () => void (await redis.config('SET', 'maxmemory', '0')) };
    },
  },
  {
    name: 'broker-killed',
    weight: 4,
    holdMs: [2_000, 12_000],
    fits: (brokers) => brokers > 1,
    begin: async ({ services: { kafka } }, random) => {
      const broker = random.pick(kafka.brokers);
      await broker.kill();
      return { target: `broker ${broker.nodeId}`, heal: () => broker.restart() };
    },
  },
  {
    // one that is killed forgets the marker of a commit that it has acknowledged: upstream's, and only without replicas
    name: 'broker-stopped',
    away: 'kafka',
    holdMs: [2_000, 10_000],
    fits: (brokers) => brokers === 1,
    begin: async ({ services: { kafka } }) => {
      const broker = kafka.broker(1);
      await broker.stop();
      return { target: 'broker 1', heal: () => broker.restart() };
    },
  },
  {
    name: 'broker-frozen',
    holdMs: [1_000, 12_000],
    begin: async ({ services: { kafka } }, random) => {
      const broker = random.pick(kafka.brokers);
      broker.signal('SIGSTOP');
      return { target: `broker ${broker.nodeId}`, heal: async () => broker.signal('SIGCONT') };
    },
  },
  {
    name: 'leaders-moved',
    holdMs: [1_000, 4_000],
    fits: (brokers) => brokers > 1,
    begin: async ({ config, services: { kafka } }, random) => {
      const { recordTopics, rejectsTopic, ledgerTopic } = config.topics;
      const topics = [...recordTopics, rejectsTopic, ledgerTopic, '__transaction_state'];
      const excluded = random.pick(kafka.brokers).nodeId;
      const all = kafka.brokers.map(({ nodeId }) => nodeId);
      await reassign(
        config.kafka.brokers,
        topics,
        all.filter((id) => id !== excluded),
      );
      return { target: `away from broker ${excluded}`, heal: () => reassign(config.kafka.brokers, topics, all) };
    },
  },
  {
    name: 'sshd-killed',
    away: 'sftp',
    holdMs: [1_000, 10_000],
    begin: async ({ services: { sshd } }) => {
      await sshd.kill();
      return { target: 'sshd', heal: () => sshd.restart() };
    },
  },
  {
    name: 'sftp-sessions-killed',
    begin: async ({ services: { sshd } }) => {
      sshd.killSessions();
      return { target: 'all sessions', heal: nothing };
    },
  },
  {
    name: 'sftp-sessions-frozen',
    holdMs: [2_000, 15_000],
    begin: async ({ services: { sshd } }) => {
      sshd.signalSessions('SIGSTOP');
      return { target: 'all sessions', heal: async () => sshd.signalSessions('SIGCONT') };
    },
  },
  {
    name: 'sftp-crowded',
    holdMs: [3_000, 8_000],
    begin: async ({ services: { sshd } }) => {
      const crowd: Socket[] = [];
      for (let i = 0; i < 105; i++) crowd.push(connect(sshd.port, '127.0.0.1').on('error', () => undefined));
      sshd.killSessions();
      return {
        target: 'MaxStartups',
        heal: async () => {
          for (const socket of crowd) socket.destroy();
        },
      };
    },
  },
  {
    name: 'kafka-answers-lost',
    weight: 6,
    holdMs: [2_000, 6_000],
    begin: async ({ proxies }, random) => {
      const faults = Array.from({ length: random.between(1, 4) }, () =>
        proxies.kafka.next(random.pick(APIS), random.pick(LOSSES), random.between(1, 3)),
      );
      return { target: faults.map(({ api, action }) => `${api}: ${action}`).join(', '), heal: nothing };
    },
  },
  {
    name: 'kafka-commit-late',
    weight: 3,
    holdMs: [1_000, 6_000],
    begin: async ({ proxies }, random) => {
      const fault: RequestFault = proxies.kafka.next('endTxn', 'hold', random.between(1, 3));
      return {
        target: 'endTxn: held back',
        heal: async () => {
          // it may not have come to it
          const happened = await fault.untilHappened(1).then(
            () => true,
            () => false,
          );
          if (happened) await Promise.race([fault.release(), delay(5_000, undefined, { ref: false })]);
        },
      };
    },
  },
  {
    name: 'kafka-ledger-told-old',
    begin: async ({ proxies }, random) => {
      proxies.kafka.next('fetch', 'old-tail', random.between(1, 3));
      return { target: 'one answer', heal: nothing };
    },
  },
  {
    name: 'network-cut',
    weight: 3,
    begin: async ({ proxies }) => {
      for (const proxy of [...proxies.kafka.links, proxies.redis, proxies.sftp]) proxy.cut();
      return { target: 'all but one worker', heal: nothing };
    },
  },
  {
    name: 'network-silent',
    holdMs: [2_000, 15_000],
    begin: async ({ proxies }, random) => {
      const [target, links] = random.pick([
        ['Kafka', proxies.kafka.links],
        ['Redis', [proxies.redis]],
        ['SFTP', [proxies.sftp]],
      ] as const);
      const direction = random.pick(['up', 'down'] as const);
      for (const proxy of links) proxy.swallow(direction);
      return {
        target: `${target}, ${direction}`,
        heal: async () => {
          for (const proxy of links) {
            await proxy.restore();
            proxy.cut();
          }
        },
      };
    },
  },
  {
    name: 'network-slow',
    holdMs: [2_000, 8_000],
    begin: async ({ proxies }, random) => {
      const links = [...proxies.kafka.links, proxies.redis, proxies.sftp];
      const ms = random.between(20, 200);
      for (const proxy of links) proxy.delay(ms);
      return {
        target: `${ms} ms each way`,
        heal: async () => {
          for (const proxy of links) await proxy.restore();
        },
      };
    },
  },
  {
    name: 'reingest-requested',
    begin: async ({ ledger }, random, committed) => {
      const files = committed();
      const file = files.length > 0 ? random.pick(files) : undefined;
      if (!file) return { target: 'nothing committed yet', heal: nothing };
      const at = new Date().toISOString();
      const request = { by: 'soak', reason: 'chaos', at };
      await changeEntry(
        file,
        (entry) =>
          entry?.state !== 'committed' || (entry.requested?.generation ?? 0) > entry.generation
            ? undefined
            : { ...entry, requested: { ...request, generation: entry.generation + 1 } },
        ledger,
      );
      return { target: file, heal: nothing };
    },
  },
];

/** All but the first, whose memory is watched over the whole soak. */
function mortal(workers: readonly DemoApp[]): readonly DemoApp[] {
  return workers.slice(1);
}

function freeze(app: DemoApp): RunningFault {
  const { pid } = app;
  sendSignal(pid, 'SIGSTOP');
  return { target: app.name, heal: async () => sendSignal(pid, 'SIGCONT') };
}

/** Puts every partition of the topics on these brokers alone; a leader that is not among them gives up its partitions. */
async function reassign(brokers: readonly string[], topics: readonly string[], replicas: number[]): Promise<void> {
  const retry = { initialRetryTime: 100, retries: 8, maxRetryTime: 2_000 };
  const admin = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING, retry }).admin();
  try {
    await admin.connect();
    const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] });
    await admin.alterPartitionReassignments({
      topics: found.map(({ name, partitions }) => ({
        topic: name,
        partitionAssignment: partitions.map(({ partitionId }) => ({ partition: partitionId, replicas })),
      })),
    });
  } finally {
    await admin.disconnect();
  }
}

/** The next fault, from the seed alone: the same number of draws whatever has happened. */
export function drawFault(random: Random, kinds: readonly FaultKind[]): FaultPlan & { readonly pauseMs: number } {
  const total = kinds.reduce((sum, { weight = 2 }) => sum + weight, 0);
  let at = random.next() * total;
  const kind = kinds.find(({ weight = 2 }) => (at -= weight) < 0) ?? kinds[0];
  if (!kind) throw new Error('there is no fault to choose from');
  const [from, to] = kind.holdMs ?? [0, 0];
  const holdMs = random.between(from, to);
  return { kind, holdMs, random: random.fork(), pauseMs: random.between(500, 4_000) };
}
