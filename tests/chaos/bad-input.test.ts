import type { LedgerRecord } from '@cdr/core/ledger-record';
import { changeEntry } from '@cdr/ledger/change-entry';
import kafkajs, { type Kafka } from 'kafkajs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runCli } from '../support/cli.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { openLedger } from '../support/open-ledger.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();

function client(scenario: Scenario): Kafka {
  return new kafkajs.Kafka({ brokers: scenario.world.brokers, logLevel: kafkajs.logLevel.NOTHING });
}

/** Puts messages into the ledger topic that no program of ours has written. */
async function writeLedger(scenario: Scenario, messages: readonly { key: string; value: string }[]): Promise<void> {
  const producer = client(scenario).producer();
  await producer.connect();
  try {
    await producer.send({ topic: scenario.world.topics.ledger, messages: [...messages] });
  } finally {
    await producer.disconnect();
  }
}

function aRecord(file: string, change: Partial<LedgerRecord>): LedgerRecord {
  return {
    v: 1,
    file,
    feed: 'data',
    state: 'committed',
    topic: 'data',
    generation: 1,
    size: 1,
    mtimeMs: 0,
    sha256: 'x',
    byteOffset: 1,
    rows: 1,
    messages: 1,
    rejects: 0,
    ranges: [],
    producerId: '1',
    epoch: 0,
    attempt: 1,
    jobId: '',
    worker: '',
    startedAt: '',
    committedAt: '',
    ...change,
  };
}

describe('a ledger record', () => {
  test.each([
    ['that is not JSON', '{"v":1,'],
    ['of a later version', JSON.stringify({ v: 2, file: 'x', whatever: true })],
    ['that is no record', JSON.stringify({ v: 1, file: 7 })],
    ['that is empty', ''],
  ])('%s: reported, its file left alone, the others ingested', async (_, value) => {
    const scenario = new Scenario(java);
    const [strange, ...others] = scenario.upload(4, 200);
    if (!strange) throw new Error('no file');
    const scanner = scenario.scanner();
    await scanner.untilMessage(/^Connected/);
    await writeLedger(scenario, [{ key: strange.name, value }]);
    await scanner.untilMessage(/^a ledger record is not readable/);
    const worker = scenario.worker();
    await scenario.untilCommitted(others.map(({ name }) => name));
    const failed = await scenario.untilJob(strange.name, 'to fail', (state) => state === 'failed');
    expect(failed.failedReason).toMatch(/^bad-ledger-record: /);
    expect(failed.attemptsMade).toBe(1);
    await scanner.untilScans(2);
    // not overwritten, not even by a scanner and a worker that have forgotten everything
    await scenario.flushRedis();
    await scenario.untilJob(strange.name, 'to fail again', (state) => state === 'failed');
    const ledger = await java.read(scenario.world.topics.ledger);
    expect(ledger.filter(({ key }) => key === strange.name).map((message) => message.value)).toEqual([value]);
    expect(await java.count([scenario.world.topics.data, scenario.world.topics.voice])).toBe(600);
    expect([scanner.hasExited, worker.hasExited]).toEqual([false, false]);
  });
});

describe('a projection that says something else than the ledger', () => {
  test('is put right before the first scan of a scanner, and counted', async () => {
    const scenario = new Scenario(java);
    const files = scenario.upload(6, 200);
    const first = scenario.scanner();
    scenario.worker();
    await scenario.untilCommitted(files.map(({ name }) => name));
    await first.untilScans(2);
    await first.end();
    const [forgotten, older, other, strange] = files.map(({ name }) => name);
    await scenario.changeProjection(async (redis, key) => {
      const text = (await redis.hget(key, other ?? '')) ?? '';
      await redis.hdel(key, forgotten ?? '');
      await redis.hset(key, older ?? '', `0 ${JSON.stringify(aRecord(older ?? '', { generation: 1, size: 7 }))}`);
      await redis.hset(key, other ?? '', text.replace('"rows":200', '"rows":201'));
      await redis.hset(key, strange ?? '', 'nobody knows');
      await redis.hset(key, 'cdr_data_20990101_000000.csv', `1 ${JSON.stringify(aRecord('x', {}))}`);
    });
    const second = scenario.scanner();
    await second.untilMessage(/^Redis remembered something else of 5 files than the ledger says/);
    expect(await second.metric('cdr_scanner_mended_projection_entries_total')).toBe(5);
    await second.untilScans(2);
    await scenario.expectExactly(files);
    expect(await java.read(scenario.world.topics.ledger)).toHaveLength(files.length);
    const third = scenario.scanner();
    await second.end();
    await third.untilScans(1);
    expect(await third.metric('cdr_scanner_mended_projection_entries_total')).toBe(0);
  });

  test('has a position that nobody can read: built anew, no scan is stuck', async () => {
    const scenario = new Scenario(java);
    const files = scenario.upload(4, 200);
    const scanner = scenario.scanner();
    scenario.worker();
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.changeProjection((redis, key) => redis.hset(key, '', 'somewhere'));
    await scanner.untilLine('a second rebuild', ({ msg }) => {
      const rebuilds = scanner.lines.filter((line) => /^projection rebuilt/.test(line.msg ?? ''));
      return msg !== undefined && rebuilds.length === 2;
    });
    await scanner.untilScans(2);
    await scenario.expectExactly(files);
  });

  test('has a field that we have not written, of a file that is ingested next: overwritten', async () => {
    const scenario = new Scenario(java);
    const scanner = scenario.scanner();
    await scanner.untilScans(1);
    const [file] = scenario.upload(1, 200);
    await scenario.changeProjection((redis, key) => redis.hset(key, file?.name ?? '', 'nobody knows'));
    scenario.worker();
    await scenario.untilCommitted([file?.name ?? '']);
    await scanner.untilScans(2);
    await scenario.expectExactly(file ? [file] : []);
  });
});

describe('a job', () => {
  test.each([
    ['no data', {}],
    ['a size that is no number', { feed: 'data', size: 'large', mtimeMs: 0, generation: 1 }],
    ['a generation below one', { feed: 'data', size: 1, mtimeMs: 0, generation: 0 }],
  ])('with %s: failed with the reason, not retried, the worker goes on', async (_, data) => {
    const scenario = new Scenario(java);
    const file = 'cdr_data_20990101_000000.csv';
    const worker = scenario.worker();
    await worker.untilMessage(/^worker ready/);
    await scenario.enqueueAnything(file, 'feed' in data ? { file, ...data } : data);
    const failed = await scenario.untilJob(file, 'to fail', (state) => state === 'failed');
    expect(failed.failedReason).toMatch(/^bad-job-data: /);
    expect(failed.attemptsMade).toBe(1);
    const files = scenario.upload(2, 100);
    scenario.scanner();
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.expectExactly(files);
  });
});

test('a checkpoint beyond the end of the file: marked as changed, nothing of it written', async () => {
  const scenario = new Scenario(java);
  const scanner = scenario.scanner();
  await scanner.untilMessage(/^Connected/);
  const name = 'cdr_data_20240101_000000.csv';
  const ledger = await openLedger(scenario.world);
  await changeEntry(
    name,
    (entry) =>
      entry
        ? undefined
        : aRecord(name, { state: 'partial', size: 9_000_000, byteOffset: 8_000_000, sha256: '0'.repeat(64) }),
    ledger,
  );
  const file = scenario.uploadLarge(500);
  expect(file.name).toBe(name);
  const worker = scenario.worker();
  await worker.untilMessage(/changed after it was ingested/);
  await scanner.untilMessage(/1 files changed after they were ingested/);
  expect((await scenario.known(name))?.changed).toMatchObject({ size: file.content.length });
  expect(await java.count([scenario.world.topics.data, scenario.world.topics.voice])).toBe(0);
});

describe('a ledger topic that somebody deleted and created again', () => {
  test.each([
    ['that is shorter than the one before', 0, /ends before offset|was deleted and created again/, '--forget'],
    ['that is longer than the one before', 40, /was deleted and created again/, '--restore'],
  ])('%s: noticed by scanner and worker, refused until cdr start-over', async (_, strangers, message, how) => {
    const scenario = new Scenario(java);
    const files = scenario.upload(6, 200);
    const names = files.map(({ name }) => name);
    const before = scenario.scanner();
    const worker = scenario.worker();
    await scenario.untilCommitted(names);
    await before.untilScans(2);
    const known = await scenario.ledger();
    const { data, voice, ledger: topic } = scenario.world.topics;
    const admin = client(scenario).admin();
    await admin.connect();
    onTestFinished(() => admin.disconnect());
    const cdr = async (...args: string[]): Promise<unknown> => {
      const { code, stdout, stderr } = await runCli([...args, '--json'], scenario.env);
      expect([code, stderr]).toEqual([0, '']);
      return JSON.parse(stdout);
    };
    expect(await cdr('start-over', how)).toMatchObject({ lost: false });
    // a scanner that runs meanwhile would see the topic while it is still short
    await Promise.all([before.end(), worker.end()]);
    await admin.deleteTopics({ topics: [topic] });
    await createLedgerAgain(admin, topic);
    await writeLedger(
      scenario,
      Array.from({ length: strangers }, (_, i) => {
        const key = `cdr_data_20990101_${i}.csv`;
        return { key, value: JSON.stringify(aRecord(key, {})) };
      }),
    );
    const scanner = scenario.scanner();
    await scanner.untilMessage(message);
    const second = scenario.worker();
    await second.untilMessage(/^worker ready/);
    // a job that was in the queue: the worker must not go by the new topic either
    await scenario.enqueue({ file: 'cdr_data_20240202_000000.csv', feed: 'data', size: 9, mtimeMs: 9, generation: 1 });
    await second.untilMessage(message);
    expect(await java.count([data, voice])).toBe(1_200);
    expect(await java.count(topic)).toBe(strangers);

    expect(await cdr('start-over', how, '--dry-run')).toMatchObject({ lost: true, remembered: 6, restored: 0 });
    expect(await java.count(topic)).toBe(strangers);
    expect(await cdr('start-over', how)).toMatchObject({ remembered: 6, restored: how === '--restore' ? 6 : 0 });
    // scanner and worker go on by themselves
    const later = 'cdr_data_20990102_000000.csv';
    scenario.world.files.write(later, files[0]?.content ?? '', { atomic: true });
    await scenario.untilCommitted([...names, later]);
    const since = await scenario.ledger();
    if (how === '--restore') {
      expect(await java.count([data, voice])).toBe(1_400);
      for (const name of names) expect(since.get(name)).toEqual(known.get(name));
    } else {
      expect(await java.count([data, voice])).toBe(2_600);
    }
    expect(await cdr('start-over', how)).toMatchObject({ lost: false });
  });
});

/** A deleted topic is gone only after a moment. */
async function createLedgerAgain(admin: ReturnType<Kafka['admin']>, topic: string): Promise<void> {
  const config = {
    topic,
    numPartitions: 1,
    replicationFactor: 1,
    configEntries: [{ name: 'cleanup.policy', value: 'compact' }],
  };
  await pollUntil(`topic ${topic} to be there again`, () =>
    admin.createTopics({ topics: [config], waitForLeaders: true }),
  );
}
