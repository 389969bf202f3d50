import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import kafkajs from 'kafkajs';
import { CommittedReader } from '../../dev/kafka-counter/committed-reader.ts';

const run = promisify(execFile);
const READ_DEADLINE_MS = 180_000;
/** kafkajs says of no partition that it is at its end when the last of it is a marker. */
const KAFKAJS_IDLE_MS = 10_000;

/** How many records a client handed to its application. `other`: neither outcome, such as a transaction's marker. */
export interface Seen {
  readonly committed: number;
  readonly aborted: number;
  readonly other: number;
}

export interface ReadRequest {
  readonly brokers: string;
  readonly topic: string;
  readonly isolation: string;
  readonly python: string | undefined;
}

export interface Client {
  /** What it is asked for; `default` sets nothing. */
  readonly isolations: readonly string[];
  /** The one under which it must be exact; undefined where it never is. */
  readonly right?: string;
  /** Packages that it needs. */
  readonly python?: readonly string[];
  read(request: ReadRequest): Promise<Seen>;
}

export const CLIENTS: Readonly<Record<string, Client>> = {
  java: { isolations: ['read_committed'], right: 'read_committed', read: readByJava },
  'confluent-kafka-2.16.1': {
    isolations: ['default', 'read_committed', 'read_uncommitted'],
    right: 'default',
    python: ['confluent-kafka==2.16.1'],
    read: (request) => readByPython('confluent_kafka', request),
  },
  'kafka-python-3.0.12': {
    isolations: ['default', 'read_committed'],
    right: 'read_committed',
    python: ['kafka-python==3.0.12', 'lz4', 'zstandard'],
    read: (request) => readByPython('kafka_python', request),
  },
  'kafka-python-2.0.2': {
    isolations: ['default', 'read_committed'],
    python: ['kafka-python==2.0.2', 'lz4', 'zstandard'],
    read: (request) => readByPython('kafka_python', request),
  },
  'kafkajs-2.2.4': { isolations: ['default', 'read_uncommitted'], read: readByKafkajs },
};

async function readByJava({ brokers, topic }: ReadRequest): Promise<Seen> {
  const reader = await CommittedReader.start(brokers);
  try {
    return tally((await reader.read([topic], READ_DEADLINE_MS)).map(({ value }) => value));
  } finally {
    await reader.stop();
  }
}

async function readByPython(client: string, { python, brokers, topic, isolation }: ReadRequest): Promise<Seen> {
  const script = path.join(import.meta.dirname, 'read_topic.py');
  const { stdout } = await run(python ?? 'python3', [script, client, brokers, topic, isolation], {
    timeout: READ_DEADLINE_MS,
  });
  return JSON.parse(stdout) as Seen;
}

async function readByKafkajs({ brokers, topic, isolation }: ReadRequest): Promise<Seen> {
  const kafka = new kafkajs.Kafka({
    brokers: brokers.split(','),
    clientId: 'cdr-compat',
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const consumer = kafka.consumer({
    groupId: `compat-${topic}-${isolation}`,
    ...(isolation === 'default' ? {} : { readUncommitted: isolation === 'read_uncommitted' }),
  });
  const values: (string | null)[] = [];
  let last = Date.now();
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        values.push(message.value?.toString() ?? null);
        last = Date.now();
      },
    });
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (Date.now() - last < KAFKAJS_IDLE_MS) return;
        clearInterval(timer);
        resolve();
      }, 500);
    });
  } finally {
    await consumer.disconnect();
  }
  if (values.length === 0) throw new Error('it handed nothing to the application');
  return tally(values);
}

function tally(values: readonly (string | null)[]): Seen {
  const seen = { committed: 0, aborted: 0, other: 0 };
  for (const value of values) seen[outcomeOf(value)]++;
  return seen;
}

function outcomeOf(value: string | null): keyof Seen {
  try {
    const { outcome } = JSON.parse(value ?? '') as { outcome?: unknown };
    return outcome === 'committed' || outcome === 'aborted' ? outcome : 'other';
  } catch {
    return 'other';
  }
}
