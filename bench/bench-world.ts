import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCodeOf } from '@cdr/core/errors';
import type { IngestJob } from '@cdr/core/ingest-job';
import type { LedgerRecord } from '@cdr/core/ledger-record';
import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import type { KafkaSettings } from '@cdr/kafka/kafka-settings';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import { ensureTopics, type TopicSettings } from '@cdr/kafka/topics';
import { IngestQueue } from '@cdr/queue/ingest-queue';
import { openCommandConnection, untilReady, type Redis } from '@cdr/queue/redis-connection';
import kafkajs from 'kafkajs';
import { workerConfig, type WorkerConfig } from '../apps/worker/src/config.ts';

const TOPICS_ATTEMPTS = 50;

/** Topics, Redis keys and a directory of one measurement's own, so that nothing of an earlier one is in its way. */
export class BenchWorld {
  /** Every setting of the apps. */
  readonly env: Readonly<Record<string, string>>;
  readonly config: WorkerConfig;
  readonly cluster: KafkaCluster;
  readonly redis: Redis;
  readonly queue: IngestQueue;

  private constructor(env: Record<string, string>) {
    this.env = env;
    this.config = workerConfig(env, 'bench', (file) => readFileSync(file, 'utf8'));
    this.cluster = new KafkaCluster({ ...this.config.kafka, clientId: 'cdr-bench' });
    // what is wrong with a connection shows in the next command
    this.redis = openCommandConnection(this.config.redis, () => undefined);
    this.queue = new IngestQueue(this.config.redis, this.redis, () => undefined);
  }

  /**
   * Creates the topics and connects. `partsEnv` are the addresses of the parts, `directory` lies below their upload
   * directory, `settings` win over what a production system would have by default.
   */
  static async create(
    name: string,
    partsEnv: Readonly<Record<string, string>>,
    directory: string,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<BenchWorld> {
    const world = new BenchWorld({
      ...partsEnv,
      REDIS_PREFIX: name,
      CDR_DATA_TOPIC: `${name}-data`,
      CDR_VOICE_TOPIC: `${name}-voice`,
      CDR_REJECTS_TOPIC: `${name}-rejects`,
      CDR_LEDGER_TOPIC: `${name}-ledger`,
      SFTP_REMOTE_PATH: path.posix.join(partsEnv['SFTP_REMOTE_PATH'] ?? '/upload', directory),
      METRICS_PORT: '0',
      LOG_LEVEL: 'info',
      ...settings,
    });
    const { kafka, topics } = world.config;
    await createTopics(kafka, topics);
    await Promise.all([
      world.cluster.connect([...topics.recordTopics, topics.rejectsTopic, topics.ledgerTopic]),
      untilReady(world.redis),
      world.queue.untilReady(),
    ]);
    return world;
  }

  get recordTopics(): readonly string[] {
    return this.config.topics.recordTopics;
  }

  /** Adds the jobs as the scanner would. */
  async enqueue(jobs: readonly IngestJob[]): Promise<void> {
    await this.queue.enqueue(jobs, false);
  }

  /** Resolves when no job is left but finished ones. Throws when one has failed. */
  async untilQueueIsDone(files: number): Promise<void> {
    for (;;) {
      const { completed, failed, ...unfinished } = await this.queue.counts();
      if (failed > 0) throw new Error(`${failed} jobs failed`);
      if (completed >= files && Object.values(unfinished).every((count) => count === 0)) return;
      await delay(10);
    }
  }

  /** The newest committed entry of each file, read from the ledger topic itself. */
  async ledgerEntries(): Promise<Map<string, LedgerRecord>> {
    const reader = new LedgerReader(this.cluster, this.config.topics.ledgerTopic);
    const entries = new Map<string, LedgerRecord>();
    for await (const stretch of reader.readCommitted(await reader.start()))
      for (const { record } of stretch.entries) entries.set(record.file, record);
    return entries;
  }

  /** Deletes topics and keys, so that the next measurement finds the disk and Redis as this one did; disconnects. */
  async remove(): Promise<void> {
    const { kafka, topics, redis } = this.config;
    const admin = new kafkajs.Kafka({ brokers: [...kafka.brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      await admin.deleteTopics({ topics: [...topics.recordTopics, topics.rejectsTopic, topics.ledgerTopic] });
    } finally {
      await admin.disconnect();
    }
    const keys = await this.redis.keys(`${redis.prefix}:*`);
    for (let start = 0; start < keys.length; start += 1_000)
      await this.redis.unlink(...keys.slice(start, start + 1_000));
    await this.disconnect();
  }

  async disconnect(): Promise<void> {
    await Promise.allSettled([this.queue.close(), this.cluster.close()]);
    this.redis.disconnect();
  }
}

/** A broker that is busy does not know for a moment what it has just created. */
async function createTopics(kafka: KafkaSettings, topics: TopicSettings): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await ensureTopics(kafka, topics);
      return;
    } catch (error) {
      if (errorCodeOf(error) !== 'kafka-unavailable' || attempt >= TOPICS_ATTEMPTS) throw error;
      await delay(100);
    }
  }
}
