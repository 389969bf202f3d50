import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { ensureTopics } from '@cdr/kafka/topics';
import { expect, onTestFinished, test } from 'vitest';
import { KafkaProxy } from '../support/kafka-proxy.ts';
import { TestWorld } from '../support/test-world.ts';

test('a broker that is silent about the metadata is given up: the next question goes over another connection', async () => {
  const world = new TestWorld();
  const { data, voice, rejects, ledger } = world.topics;
  await ensureTopics(
    { brokers: world.brokers, clientId: 'test' },
    { recordTopics: [data, voice], rejectsTopic: rejects, ledgerTopic: ledger, partitions: 1, replication: 1 },
  );
  const proxy = await KafkaProxy.start(world.brokers);
  const cluster = new KafkaCluster({
    brokers: proxy.brokers.split(','),
    clientId: 'test',
    requestTimeoutMs: 1_000,
  });
  onTestFinished(async () => {
    await cluster.close();
    proxy.close();
  });
  await cluster.connect([ledger]);
  await cluster.probe();
  const silence = proxy.next('metadata', 'silence');
  // it may find its new connection closed by the end of the old one
  await cluster.probe().catch(() => undefined);
  await silence.untilHappened();
  await cluster.probe();
  expect(await cluster.partitionCount(ledger)).toBe(1);
});
