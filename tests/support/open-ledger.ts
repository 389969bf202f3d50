import { BatchingWriters } from '@cdr/kafka/batching-writer';
import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import type { LedgerParts } from '@cdr/ledger/ledger-parts';
import { LedgerProjection } from '@cdr/queue/ledger-projection';
import { openCommandConnection, untilReady } from '@cdr/queue/redis-connection';
import { onTestFinished } from 'vitest';
import type { TestWorld } from './test-world.ts';

/** What an operator's command writes the ledger with, in the test's own process; closed when the test is over. */
export async function openLedger(world: TestWorld): Promise<LedgerParts> {
  const { ledger: topic } = world.topics;
  const cluster = new KafkaCluster({ brokers: world.brokers, clientId: 'test' });
  const redis = openCommandConnection({ url: world.redisUrl }, () => undefined);
  onTestFinished(async () => {
    await cluster.close();
    redis.disconnect();
  });
  await Promise.all([cluster.connect([topic]), untilReady(redis)]);
  return {
    writers: new BatchingWriters(cluster, { ledgerTopic: topic, compression: 'none', transactionTimeoutMs: 60_000 }),
    ledgerReader: new LedgerReader(cluster, topic),
    projection: new LedgerProjection(redis, { url: world.redisUrl, prefix: world.redisPrefix }),
    ledger: () => ({ clusterId: cluster.clusterId, topic }),
  };
}
