import { expect, test } from 'vitest';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { Scenario } from '../support/scenario.ts';

// The few of the crash matrix's tests on the wire that belong into every run; tests/chaos has the rest.
const java = useJavaConsumer();
const SMALL_TRANSACTIONS = { TRANSACTION_MAX_RECORDS: '2000' };

test('a commit whose answer is lost is not assumed: each row once, no attempt spent', async () => {
  const scenario = new Scenario(java, SMALL_TRANSACTIONS);
  const file = scenario.uploadLarge(5_000);
  const proxy = await scenario.kafkaProxy();
  const fault = proxy.next('endTxn', 'lose-answer', 2);
  scenario.scanner();
  scenario.worker({ KAFKA_BROKERS: proxy.brokers });
  await fault.untilHappened();
  expect((await scenario.untilCompleted(file.name)).attemptsMade).toBe(1);
  await scenario.expectExactly([file]);
});

test('a commit that arrives long after it was repeated does not end the next transaction', async () => {
  const scenario = new Scenario(java, SMALL_TRANSACTIONS);
  const file = scenario.uploadLarge(5_000);
  const proxy = await scenario.kafkaProxy();
  const late = proxy.next('endTxn', 'hold');
  scenario.scanner();
  const worker = scenario.faultyWorker('before-ledger:freeze:2', { KAFKA_BROKERS: proxy.brokers });
  await late.untilHappened();
  await worker.untilFault();
  await late.release();
  await worker.kill();
  scenario.worker();
  await scenario.untilCompleted(file.name);
  await scenario.expectExactly([file]);
});

test('a ledger that is told too short by a deposed leader is noticed before the commit', async () => {
  const scenario = new Scenario(java);
  const file = scenario.uploadLarge(3_000);
  const scanner = scenario.scanner();
  const first = scenario.worker();
  const done = await scenario.untilCompleted(file.name);
  await Promise.all([scanner.end(), first.end()]);
  await scenario.flushRedis();
  await scenario.enqueue(done.data);
  const proxy = await scenario.kafkaProxy();
  const old = proxy.next('fetch', 'old-tail');
  const second = scenario.worker({ KAFKA_BROKERS: proxy.brokers });
  await old.untilHappened();
  await second.untilMessage(/is in the ledger already: nothing to do/);
  await scenario.expectExactly([file]);
});
