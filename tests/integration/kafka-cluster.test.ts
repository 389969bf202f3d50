import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { ensureTopics } from '@cdr/kafka/topics';
import { expect, onTestFinished, test } from 'vitest';
import { KafkaProxy } from '../support/kafka-proxy.ts';
import { pollUntil } from '../support/poll-until.ts';
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
  const unanswered = cluster.probe().catch(() => undefined);
  await silence.untilHappened();
  await unanswered;
  // as a process that waits for Kafka does it; the end of the old connection may end a new one with it
  await pollUntil('an answer', () => cluster.probe().then(() => true), { deadlineMs: 10_000 });
  expect(await cluster.partitionCount(ledger)).toBe(1);
});
