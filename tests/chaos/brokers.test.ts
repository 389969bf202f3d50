import type { GeneratedFile } from '@cdr/core/generate-cdr';
import { transactionalIdOf } from '@cdr/core/transactional-id';
import { findTransactionCoordinator } from '@cdr/kafka/requests';
import kafkajs, { type Admin } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startParts, type OwnedParts } from '../../dev/services/parts.ts';
import type { Kafka } from '../../dev/services/kafka.ts';
import type { AppProcess } from '../support/app-process.ts';
import { askBroker } from '../support/ask-broker.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';
import { TestWorld } from '../support/test-world.ts';

let parts: OwnedParts | undefined;
beforeAll(async () => {
  parts = await startParts({ instance: 'cluster', brokers: 3 });
}, 300_000);
afterAll(() => parts?.stop());
const java = useJavaConsumer(() => started().env['KAFKA_BROKERS'] ?? '');

const SLOW = { deadlineMs: 150_000 };
const BROKERS = [1, 2, 3];

function started(): OwnedParts {
  if (!parts) throw new Error('the cluster is there within tests only');
  return parts;
}

function clusterScenario(env: Record<string, string> = {}): { scenario: Scenario; kafka: Kafka } {
  const scenario = new Scenario(java, { JOB_LOCK_MS: '6000', ...env }, new TestWorld(started()));
  return { scenario, kafka: scenario.world.kafka };
}

async function expectAllDone(
  scenario: Scenario,
  files: readonly GeneratedFile[],
  ...apps: AppProcess[]
): Promise<void> {
  await scenario.untilCommitted(
    files.map(({ name }) => name),
    SLOW,
  );
  await scenario.expectExactly(files);
  for (const { name } of files) expect((await scenario.untilCompleted(name)).attemptsMade).toBe(1);
  expect(apps.flatMap(({ lines }) => lines.filter(({ level }) => level === 'error'))).toEqual([]);
}

/** Which broker decides the transactions of a file. Asked of each until one knows. */
async function coordinatorOf(scenario: Scenario, kafka: Kafka, file: string): Promise<number> {
  const id = transactionalIdOf(scenario.world.topics.ledger, file);
  return pollUntil('a coordinator', async () => {
    for (const { port } of kafka.brokers) {
      try {
        return await askBroker(port, findTransactionCoordinator(id));
      } catch {
        continue;
      }
    }
    return undefined;
  });
}

async function openAdmin(scenario: Scenario): Promise<Admin> {
  const admin = new kafkajs.Kafka({ brokers: scenario.world.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  onTestFinished(() => admin.disconnect());
  return admin;
}

/** Takes every partition of the topics away from its leader, by taking the leader out of its replicas for a moment. */
async function moveLeaders(admin: Admin, topics: readonly string[]): Promise<void> {
  const { topics: before } = await admin.fetchTopicMetadata({ topics: [...topics] });
  await admin.alterPartitionReassignments({
    topics: before.map(({ name, partitions }) => ({
      topic: name,
      partitionAssignment: partitions.map(({ partitionId, leader }) => ({
        partition: partitionId,
        replicas: BROKERS.filter((broker) => broker !== leader),
      })),
    })),
  });
  await pollUntil('other leaders', async () => {
    const { topics: now } = await admin.fetchTopicMetadata({ topics: [...topics] });
    return before.every(({ name, partitions }) =>
      partitions.every(({ partitionId, leader }) => {
        const topic = now.find((entry) => entry.name === name);
        const moved = topic?.partitions.find((partition) => partition.partitionId === partitionId);
        return moved !== undefined && moved.leader >= 0 && moved.leader !== leader;
      }),
    );
  });
  await admin.alterPartitionReassignments({
    topics: before.map(({ name, partitions }) => ({
      topic: name,
      partitionAssignment: partitions.map(({ partitionId }) => ({ partition: partitionId, replicas: BROKERS })),
    })),
  });
}

describe('three brokers', () => {
  test('each killed in mid-ingest and restarted, one after the other', async () => {
    const { scenario, kafka } = clusterScenario({ TRANSACTION_MAX_RECORDS: '2000' });
    const files = scenario.upload(24, 3_000);
    const scanner = scenario.scanner();
    const worker = scenario.faultyWorker('streamed:slow');
    for (const [i, broker] of BROKERS.entries()) {
      await scenario.untilSome(files, 2 + 3 * i);
      await kafka.killBroker(broker);
      await scenario.untilSome(files, 4 + 3 * i);
      await kafka.restartBroker(broker);
    }
    await expectAllDone(scenario, files, scanner, worker);
  });

  test('leaders moved while their partitions are written to, the coordinators too', async () => {
    const { scenario } = clusterScenario({ TRANSACTION_MAX_RECORDS: '3000' });
    const files = scenario.upload(12, 6_000);
    const scanner = scenario.scanner();
    const worker = scenario.faultyWorker('streamed:slow');
    const { data, voice, rejects, ledger } = scenario.world.topics;
    const admin = await openAdmin(scenario);
    for (const count of [1, 3, 5]) {
      await scenario.untilSome(files, count);
      await moveLeaders(admin, [data, voice, rejects, ledger]);
      await moveLeaders(admin, ['__transaction_state']);
    }
    await expectAllDone(scenario, files, scanner, worker);
  });

  test.each(['fenced', 'streamed', 'after-ledger', 'before-commit', 'committed'])(
    'the coordinator killed at %s',
    async (point) => {
      const { scenario, kafka } = clusterScenario({ TRANSACTION_MAX_RECORDS: '4000' });
      const file = scenario.uploadLarge(9_000);
      scenario.scanner();
      const worker = scenario.faultyWorker(`${point}:freeze`);
      await worker.untilFault();
      const broker = await coordinatorOf(scenario, kafka, file.name);
      await kafka.killBroker(broker);
      worker.signal('SIGCONT');
      try {
        await scenario.untilCommitted([file.name], SLOW);
      } finally {
        await kafka.restartBroker(broker);
      }
      await scenario.expectExactly([file]);
    },
  );

  test('the coordinator killed while a zombie and its successor race', async () => {
    const { scenario, kafka } = clusterScenario({ JOB_LOCK_MS: '1500', TRANSACTION_MAX_RECORDS: '4000' });
    const file = scenario.uploadLarge(9_000);
    scenario.scanner();
    const zombie = scenario.faultyWorker('before-commit:freeze');
    await zombie.untilFault();
    const successor = scenario.faultyWorker('before-commit:freeze');
    await successor.untilFault();
    const broker = await coordinatorOf(scenario, kafka, file.name);
    await kafka.killBroker(broker);
    for (const worker of [zombie, successor]) worker.signal('SIGCONT');
    try {
      await scenario.untilCommitted([file.name], SLOW);
    } finally {
      await kafka.restartBroker(broker);
    }
    await scenario.expectExactly([file]);
  });

  test('one frozen until it is deposed, and woken: what it still believes does no harm', async () => {
    const { scenario, kafka } = clusterScenario({ TRANSACTION_MAX_RECORDS: '2000' });
    const files = scenario.upload(18, 3_000);
    const scanner = scenario.scanner();
    const worker = scenario.faultyWorker('streamed:slow');
    for (const [i, nodeId] of BROKERS.entries()) {
      await scenario.untilSome(files, 1 + 2 * i);
      const broker = kafka.broker(nodeId);
      broker.signal('SIGSTOP');
      try {
        await scenario.untilSome(files, 3 + 2 * i);
      } finally {
        broker.signal('SIGCONT');
      }
    }
    await expectAllDone(scenario, files, scanner, worker);
  });

  test('two of three killed: everything waits, nothing fails, and goes on when they are back', async () => {
    const { scenario, kafka } = clusterScenario();
    const files = scenario.upload(12, 1_000);
    const scanner = scenario.scanner();
    const worker = scenario.faultyWorker('streamed:slow');
    await scenario.untilSome(files, 2);
    await Promise.all([1, 2].map((broker) => kafka.killBroker(broker)));
    try {
      await worker.untilMessage(/^Kafka is away/, SLOW);
    } finally {
      await Promise.all([1, 2].map((broker) => kafka.restartBroker(broker)));
    }
    await expectAllDone(scenario, files, scanner, worker);
  });
});
