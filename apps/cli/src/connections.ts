import { BatchingWriters } from '@cdr/kafka/batching-writer';
import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import type { LedgerParts } from '@cdr/ledger/ledger-parts';
import { AuditStream } from '@cdr/queue/audit-stream';
import { IngestQueue } from '@cdr/queue/ingest-queue';
import { JobViews } from '@cdr/queue/job-views';
import { LedgerProjection } from '@cdr/queue/ledger-projection';
import { openCommandConnection, untilReady, type Redis } from '@cdr/queue/redis-connection';
import { SftpPool } from '@cdr/sftp/sftp-pool';
import type { ConfigParts } from './config.ts';

const CLOSE_WITHIN_MS = 3_000;

/** The connections of one command, each opened when it is first asked for. What they throw is a CdrError. */
export class Connections {
  private readonly parts: ConfigParts;
  private readonly closers: (() => unknown)[] = [];
  private redisOpening: Promise<Redis> | undefined;
  private queueOpening: Promise<IngestQueue> | undefined;
  private clusterOpening: Promise<KafkaCluster> | undefined;
  private pool: SftpPool | undefined;

  constructor(parts: ConfigParts) {
    this.parts = parts;
  }

  sftp(): SftpPool {
    if (this.pool) return this.pool;
    const pool = new SftpPool(this.parts.files().sftp);
    this.closers.push(() => pool.close());
    return (this.pool = pool);
  }

  redis(): Promise<Redis> {
    return (this.redisOpening ??= (async () => {
      const redis = openCommandConnection(this.parts.redis().redis, () => undefined);
      this.closers.push(() => redis.disconnect());
      await untilReady(redis);
      return redis;
    })());
  }

  queue(): Promise<IngestQueue> {
    return (this.queueOpening ??= (async () => {
      const redis = await this.redis();
      const queue = new IngestQueue(this.parts.redis().redis, redis, () => undefined);
      this.closers.push(() => queue.close());
      await queue.untilReady();
      return queue;
    })());
  }

  async jobs(): Promise<JobViews> {
    return new JobViews(await this.queue());
  }

  async audit(): Promise<AuditStream> {
    return new AuditStream(await this.redis(), this.parts.redis().redis.prefix);
  }

  async projection(): Promise<LedgerProjection> {
    return new LedgerProjection(await this.redis(), this.parts.redis().redis);
  }

  /** Connected, with the ledger topic known. Throws `kafka-topic` when it does not exist. */
  cluster(): Promise<KafkaCluster> {
    return (this.clusterOpening ??= (async () => {
      const { kafka, topics } = this.parts.kafka();
      const cluster = new KafkaCluster(kafka);
      this.closers.push(() => cluster.close());
      await cluster.connect([]);
      // asked for apart, since it says what to do when the topic is missing
      await cluster.partitionCount(topics.ledgerTopic);
      return cluster;
    })());
  }

  async ledgerReader(): Promise<LedgerReader> {
    return new LedgerReader(await this.cluster(), this.parts.kafka().topics.ledgerTopic);
  }

  /** What writing an entry needs. */
  async ledger(): Promise<LedgerParts> {
    const { writer, topics } = this.parts.kafka();
    const cluster = await this.cluster();
    return {
      writers: new BatchingWriters(cluster, writer),
      ledgerReader: new LedgerReader(cluster, topics.ledgerTopic),
      projection: await this.projection(),
      ledger: () => ({ clusterId: cluster.clusterId, topic: topics.ledgerTopic }),
    };
  }

  /** Closes what was opened, the last first; gives up on what does not close. */
  async close(): Promise<void> {
    const gaveUp = Promise.withResolvers<void>();
    const timer = setTimeout(gaveUp.resolve, CLOSE_WITHIN_MS);
    const closing = this.closers.reverse().map(async (close) => close());
    await Promise.race([Promise.allSettled(closing), gaveUp.promise]);
    clearTimeout(timer);
  }
}
