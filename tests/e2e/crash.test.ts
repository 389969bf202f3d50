import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { BatchingWriters } from '@cdr/kafka/batching-writer';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import { generateCdrFiles } from '@cdr/core/generate-cdr';
import type { LedgerRecord } from '@cdr/core/ledger-record';
import { transactionalIdOf } from '@cdr/core/transactional-id';
import { describe, expect, onTestFinished, test } from 'vitest';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();

/** One file, large enough for several chunks of the reader and several transactions. */
function uploadLarge(scenario: Scenario, rows: number) {
  const [file] = generateCdrFiles({ files: 1, rowsPerFile: rows, seed: 7 });
  if (!file) throw new Error('no file');
  scenario.world.files.write(file.name, file.content, { atomic: true });
  return file;
}

describe('a worker killed', () => {
  test.each([
    ['in mid-file, with rows of it in the topic', 'streamed:kill:3', {}],
    ['before the ledger record', 'before-ledger:kill', {}],
    ['between the ledger record and the commit', 'before-commit:kill', {}],
    ['after the commit, before Redis knew', 'committed:kill', {}],
    ['between two transactions of the file', 'projected:kill:2', { TRANSACTION_MAX_RECORDS: '5000' }],
    ['in the second transaction of the file', 'before-commit:kill:2', { TRANSACTION_MAX_RECORDS: '5000' }],
  ])('%s: another takes the file over, each row once', async (_, fault, env) => {
    const scenario = new Scenario(java, env);
    const file = uploadLarge(scenario, 20_000);
    scenario.scanner();
    const doomed = scenario.faultyWorker(fault);
    await doomed.untilFault();
    expect(await doomed.ended()).toBe('SIGKILL');
    scenario.worker();
    await scenario.untilCommitted([file.name]);
    await scenario.untilJob(file.name, 'to be completed', (state) => state === 'completed');
    await scenario.expectExactly([file]);
  });

  test('a worker frozen before its commit and woken when the file is done changes nothing', async () => {
    const scenario = new Scenario(java);
    const file = uploadLarge(scenario, 20_000);
    scenario.scanner();
    const frozen = scenario.faultyWorker('before-commit:freeze');
    await frozen.untilFault();
    scenario.worker();
    await scenario.untilCommitted([file.name]);
    frozen.signal('SIGCONT');
    await frozen.untilLine('that it has lost the file', ({ msg }) =>
      /the lock is not ours|already|nothing to do/.test(msg ?? ''),
    );
    await scenario.expectExactly([file]);
  });
});

describe('Redis', () => {
  test('wiped in mid-ingest: everything goes in once', async () => {
    const scenario = new Scenario(java);
    const files = scenario.upload(40, 300);
    scenario.scanner();
    scenario.worker();
    await pollUntil('some files', async () => (await scenario.known(files[10]?.name ?? ''))?.state === 'committed');
    await scenario.flushRedis();
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.expectExactly(files);
  });

  test('restored from an older snapshot, workers before the scanner: no new message', async () => {
    const scenario = new Scenario(java);
    const files = scenario.upload(10, 200);
    // jobs in the queue, nothing ingested yet: the worst moment to go back to
    const scanner = scenario.scanner();
    await scanner.untilMessage(/10 enqueued/);
    const snapshot = path.join(mkdtempSync(path.join(tmpdir(), 'cdr-')), 'snapshot');
    await scenario.world.redis.snapshot(snapshot);
    const worker = scenario.worker();
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scanner.end();
    await worker.end();
    await scenario.expectExactly(files);

    await scenario.world.redis.restore(snapshot);
    const second = scenario.worker();
    for (const { name } of files)
      await second.untilLine(
        `that ${name} is done`,
        ({ msg }) => msg === `${name} is in the ledger already: nothing to do`,
      );
    scenario.scanner();
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.expectExactly(files);
    const ledger = await java.read(scenario.world.topics.ledger);
    expect(ledger).toHaveLength(files.length);
  });
});

describe('SIGTERM', () => {
  test('hands a file that takes longer than the grace back to the front, without spending an attempt', async () => {
    const scenario = new Scenario(java, { SHUTDOWN_GRACE_MS: '200' });
    const file = uploadLarge(scenario, 20_000);
    scenario.scanner();
    const leaving = scenario.faultyWorker('streamed:slow');
    await leaving.untilFault();
    expect(await leaving.end('SIGTERM')).toBe(0);
    const job = await scenario.untilJob(file.name, 'to wait again', (state) => state === 'waiting');
    expect(job.attemptsMade).toBe(0);
    expect(await scenario.known(file.name)).toBeUndefined();
    scenario.worker();
    await scenario.untilCommitted([file.name]);
    await scenario.expectExactly([file]);
  });

  test('lets a file that ends within the grace end', async () => {
    const scenario = new Scenario(java, { SHUTDOWN_GRACE_MS: '15000' });
    const file = uploadLarge(scenario, 10_000);
    scenario.scanner();
    const leaving = scenario.faultyWorker('streamed:slow');
    await leaving.untilFault();
    expect(await leaving.end('SIGTERM')).toBe(0);
    expect((await scenario.job(file.name))?.returnvalue).toMatchObject({ outcome: 'ingested', rows: 10_000 });
    await scenario.expectExactly([file]);
  });

  test('ends a worker whose Redis is gone', async () => {
    const scenario = new Scenario(java, { SHUTDOWN_GRACE_MS: '300' });
    const worker = scenario.worker();
    await worker.untilMessage(/^worker ready/);
    await scenario.world.redis.kill();
    onTestFinished(() => scenario.world.redis.restart());
    expect([0, 'SIGKILL']).toContain(await worker.end('SIGTERM'));
  });
});

test('the ledger is asked rightly while another file has an open transaction on it', async () => {
  const scenario = new Scenario(java);
  const [file] = scenario.upload(1, 100);
  if (!file) throw new Error('no file');
  const { topics, env } = scenario.world;
  const scanner = scenario.scanner();
  await scanner.untilMessage(/Connected/);

  // another deployment's worker, as it were, with a ledger record written and not committed: holds the stable offset back
  const cluster = new KafkaCluster({ brokers: (env['KAFKA_BROKERS'] ?? '').split(','), clientId: 'test' });
  onTestFinished(() => cluster.close());
  await cluster.connect([topics.ledger]);
  const writers = new BatchingWriters(cluster, {
    ledgerTopic: topics.ledger,
    compression: 'none',
    transactionTimeoutMs: 60_000,
  });
  const other = await writers.fence(transactionalIdOf(topics.ledger, 'another file'));
  await other.ledger({ ...emptyRecord('another file'), producerId: other.producerId, epoch: other.epoch });

  // killed after its commit, so that the successor must find the record above the stable offset
  const doomed = scenario.faultyWorker('committed:kill');
  await doomed.untilFault();
  await doomed.ended();
  const reader = new LedgerReader(cluster, topics.ledger);
  const stretches = await Array.fromAsync(reader.readCommitted(await reader.start()));
  expect(stretches.flatMap(({ entries }) => entries)).toEqual([]);

  const successor = scenario.worker();
  await successor.untilMessage(/is in the ledger already: nothing to do/);
  await other.abort();
  await scenario.untilCommitted([file.name]);
  await scenario.expectExactly([file]);
});

function emptyRecord(file: string): LedgerRecord {
  return {
    v: 1,
    file,
    feed: 'data',
    state: 'partial',
    topic: 'data',
    generation: 1,
    size: 0,
    mtimeMs: 0,
    sha256: null,
    byteOffset: 0,
    rows: 0,
    messages: 0,
    rejects: 0,
    ranges: [],
    producerId: '0',
    epoch: 0,
    attempt: 1,
    jobId: '',
    worker: '',
    startedAt: '',
    committedAt: '',
  };
}
