import { generateCdrFiles, type GeneratedFile } from '@cdr/core/generate-cdr';
import { describe, expect, test } from 'vitest';
import type { AppProcess } from '../support/app-process.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import type { ApiName } from '../support/kafka-proxy.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();
const ROWS = 9_000;
const SMALL_TRANSACTIONS = { TRANSACTION_MAX_RECORDS: '4000' };
const APIS: readonly ApiName[] = ['endTxn', 'initProducerId', 'produce', 'addPartitionsToTxn', 'fetch'];

function expectNothingFailed(worker: AppProcess): void {
  expect(worker.lines.filter(({ level }) => level === 'error')).toEqual([]);
  expect(worker.other).toEqual([]);
}

describe.each(APIS)('%s between a worker and the broker', (api) => {
  test.each([
    ['the request is lost', 'lose-request', 1],
    ['the answer is lost', 'lose-answer', 1],
    ['the answer to the second one is lost', 'lose-answer', 2],
  ] as const)('%s with its connection: each row once, no attempt spent', async (_, action, nth) => {
    const scenario = new Scenario(java, { ...SMALL_TRANSACTIONS, WORKER_CONCURRENCY: '1' });
    // two: a second fence is that of the second file
    const files = scenario.upload(2, ROWS);
    const proxy = await scenario.kafkaProxy();
    const fault = proxy.next(api, action, nth);
    // the scanner goes the straight way, so that the fault is the worker's
    scenario.scanner();
    const worker = scenario.worker({ KAFKA_BROKERS: proxy.brokers });
    await fault.untilHappened();
    for (const { name } of files) expect((await scenario.untilCompleted(name)).attemptsMade).toBe(1);
    await scenario.expectExactly(files);
    expectNothingFailed(worker);
  });
});

describe('a commit', () => {
  test.each([
    ['while it asks again', 'lose-answer'],
    ['while it waits', 'silence'],
  ] as const)('carried out and not answered, its worker killed %s', async (_, action) => {
    const scenario = new Scenario(java, SMALL_TRANSACTIONS);
    const file = scenario.uploadLarge(ROWS);
    const proxy = await scenario.kafkaProxy();
    const fault = proxy.next('endTxn', action);
    scenario.scanner();
    const worker = scenario.worker({ KAFKA_BROKERS: proxy.brokers });
    await fault.untilHappened();
    await worker.kill();
    scenario.worker();
    await scenario.untilCompleted(file.name);
    await scenario.expectExactly([file]);
  });

  test('whose answer never comes on a connection that stays open: given up, asked for, each row once', async () => {
    const scenario = new Scenario(java, SMALL_TRANSACTIONS);
    const file = scenario.uploadLarge(ROWS);
    const proxy = await scenario.kafkaProxy();
    const fault = proxy.next('endTxn', 'silence');
    scenario.scanner();
    const worker = scenario.worker({ KAFKA_BROKERS: proxy.brokers });
    await fault.untilHappened();
    const job = await scenario.untilCompleted(file.name, { deadlineMs: 120_000 });
    expect(job.attemptsMade).toBe(1);
    await scenario.expectExactly([file]);
    expectNothingFailed(worker);
  });

  test('that arrives long after it was repeated does not end the next transaction', async () => {
    const scenario = new Scenario(java, SMALL_TRANSACTIONS);
    const file = scenario.uploadLarge(ROWS);
    const proxy = await scenario.kafkaProxy();
    const late = proxy.next('endTxn', 'hold');
    scenario.scanner();
    // rows of the second transaction are in the topic, its ledger record is not
    const worker = scenario.faultyWorker('before-ledger:freeze:2', { KAFKA_BROKERS: proxy.brokers });
    await late.untilHappened();
    await worker.untilFault();
    await late.release();
    await worker.kill();
    scenario.worker();
    await scenario.untilCompleted(file.name);
    await scenario.expectExactly([file]);
  });

  test('of two workers in turn, each answer lost', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '2000' });
    const file = scenario.uploadLarge(ROWS);
    const proxy = await scenario.kafkaProxy();
    scenario.scanner();
    const faults = [1, 2, 3].map((nth) => proxy.next('endTxn', 'lose-answer', nth));
    const first = scenario.worker({ KAFKA_BROKERS: proxy.brokers });
    await Promise.all(faults.map((fault) => fault.untilHappened()));
    await first.kill();
    scenario.worker({ KAFKA_BROKERS: proxy.brokers });
    await scenario.untilCompleted(file.name);
    await scenario.expectExactly([file]);
  });
});

describe('a deposed leader', () => {
  test('that tells an attempt an old end of the ledger: noticed by meeting oneself, nothing is doubled', async () => {
    const scenario = new Scenario(java);
    const file = scenario.uploadLarge(ROWS);
    const scanner = scenario.scanner();
    const first = scenario.worker();
    const done = await scenario.untilCompleted(file.name);
    await scanner.end();
    await first.end();

    // an old Redis: a job, and no projection to know better from
    await scenario.flushRedis();
    await scenario.enqueue(done.data);
    const proxy = await scenario.kafkaProxy();
    const old = proxy.next('fetch', 'old-tail');
    const second = scenario.worker({ KAFKA_BROKERS: proxy.brokers });
    await old.untilHappened();
    await second.untilMessage(/starting again/);
    await second.untilMessage(/is in the ledger already: nothing to do/);
    await scenario.untilCompleted(file.name);
    await scenario.expectExactly([file]);
  });
});

describe('the connections of a worker to the broker', () => {
  test.each([
    ['cut again and again', 'cut'],
    ['half open: nothing comes back', 'down'],
    ['half open: nothing arrives', 'up'],
  ] as const)('%s: each row once, no attempt spent', async (_, how) => {
    const scenario = new Scenario(java, { JOB_LOCK_MS: '6000' });
    const files = [...generateCdrFiles({ files: 30, rowsPerFile: 500, seed: 1 })];
    const later = files.slice(20);
    const upload = ({ name, content }: GeneratedFile): void => {
      scenario.world.files.write(name, content, { atomic: true });
    };
    files.slice(0, 20).forEach(upload);
    const proxy = await scenario.kafkaProxy();
    scenario.scanner();
    const worker = scenario.faultyWorker('streamed:slow', { KAFKA_BROKERS: proxy.brokers });
    await scenario.untilSome(files, 3);
    if (how === 'cut') {
      for (let i = 0; i < 5; i++) {
        const before = proxy.links[0]?.accepted ?? 0;
        proxy.links[0]?.cut();
        // however fast the others were: something that another connection is needed for
        later.splice(0, 2).forEach(upload);
        await pollUntil('another connection', () => (proxy.links[0]?.accepted ?? 0) > before);
      }
    } else {
      proxy.links[0]?.swallow(how);
      await worker.untilMessage(/^Kafka is away|starting again/, { deadlineMs: 90_000 });
      // what was open stays dead: only who gives it up gets through
      await proxy.links[0]?.restore();
    }
    later.splice(0).forEach(upload);
    await scenario.untilCommitted(
      files.map(({ name }) => name),
      { deadlineMs: 90_000 },
    );
    await scenario.expectExactly(files);
    for (const { name } of files) expect((await scenario.untilCompleted(name)).attemptsMade).toBe(1);
    expectNothingFailed(worker);
  });

  test('slow: 150 ms more in each direction', async () => {
    const scenario = new Scenario(java);
    const files = scenario.upload(6, 500);
    const proxy = await scenario.kafkaProxy();
    proxy.links[0]?.delay(150);
    scenario.scanner();
    scenario.worker({ KAFKA_BROKERS: proxy.brokers });
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.expectExactly(files);
  });
});
