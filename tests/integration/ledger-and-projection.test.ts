import { decidingPartOf } from '@cdr/core/decide';
import type { LedgerRecord } from '@cdr/core/ledger-record';
import { transactionalIdOf } from '@cdr/core/transactional-id';
import { BatchingWriters } from '@cdr/kafka/batching-writer';
import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import { ensureTopics } from '@cdr/kafka/topics';
import { askLedger } from '@cdr/ledger/ask-ledger';
import { catchUpProjection } from '@cdr/ledger/catch-up-projection';
import { changeEntry } from '@cdr/ledger/change-entry';
import type { LedgerParts } from '@cdr/ledger/ledger-parts';
import { ProjectionCheck } from '@cdr/ledger/projection-check';
import { LedgerProjection } from '@cdr/queue/ledger-projection';
import { openCommandConnection, untilReady, type Redis } from '@cdr/queue/redis-connection';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TestWorld } from '../support/test-world.ts';

interface Ledger extends LedgerParts {
  readonly redis: Redis;
  readonly world: TestWorld;
  /** Commits a record, as an attempt would, and waits until the commit is there for every reader to see. */
  readonly commit: (record: object) => Promise<void>;
  readonly catchUp: () => ReturnType<typeof catchUpProjection>;
  readonly ask: (file: string) => ReturnType<typeof askLedger>;
}

async function openLedger(): Promise<Ledger> {
  const world = new TestWorld();
  const kafka = { brokers: world.brokers, clientId: 'test' };
  const { data, voice, rejects, ledger: topic } = world.topics;
  await ensureTopics(kafka, {
    recordTopics: [data, voice],
    rejectsTopic: rejects,
    ledgerTopic: topic,
    partitions: 1,
    replication: 1,
  });
  const cluster = new KafkaCluster(kafka);
  await cluster.connect([topic]);
  const redis = openCommandConnection({ url: world.redisUrl }, () => undefined);
  await untilReady(redis);
  onTestFinished(async () => {
    redis.disconnect();
    await cluster.close();
  });
  const writers = new BatchingWriters(cluster, {
    ledgerTopic: topic,
    compression: 'none',
    transactionTimeoutMs: 60_000,
  });
  const ledgerReader = new LedgerReader(cluster, topic);
  const projection = new LedgerProjection(redis, { url: world.redisUrl, prefix: world.redisPrefix });
  const ledger = () => ({ clusterId: cluster.clusterId, topic });
  return {
    world,
    redis,
    writers,
    ledgerReader,
    projection,
    ledger,
    commit: async (record) => {
      const id = transactionalIdOf(topic, (record as LedgerRecord).file);
      const writer = await writers.fence(id);
      await writer.ledger(record as LedgerRecord);
      await writer.commit();
      // a commit is answered before its markers are written; the next fence is answered behind them
      await writers.fence(id);
    },
    catchUp: () => catchUpProjection(projection, ledgerReader, ledger()),
    ask: (file) => askLedger(file, projection, ledgerReader, ledger()),
  };
}

function record(file: string, change: object = {}): LedgerRecord {
  return {
    v: 1,
    file,
    feed: 'data',
    state: 'committed',
    topic: 'data',
    generation: 1,
    size: 10,
    mtimeMs: 1000,
    sha256: 'abc',
    byteOffset: 10,
    rows: 1,
    messages: 1,
    rejects: 0,
    ranges: [],
    producerId: '1',
    epoch: 0,
    attempt: 1,
    jobId: 'f-x',
    worker: 'w',
    startedAt: '2026-01-01T00:00:00.000Z',
    committedAt: '2026-01-01T00:00:01.000Z',
    ...change,
  };
}

describe('the projection', () => {
  test('follows the ledger, and is built anew when Redis forgets', async () => {
    const ledger = await openLedger();
    await ledger.commit(record('a'));
    expect(await ledger.catchUp()).toMatchObject({ records: 1, rebuilt: 'Redis knew nothing' });
    await ledger.commit(record('b'));
    expect(await ledger.catchUp()).toEqual({ records: 1, unreadable: [] });
    await ledger.redis.flushall();
    expect(await ledger.ask('a')).toMatchObject({ entry: { record: { file: 'a' } } });
    expect(await ledger.catchUp()).toMatchObject({ records: 2, rebuilt: 'Redis knew nothing' });
    expect((await ledger.projection.records(['a', 'b', 'c'])).size).toBe(2);
  });

  test('moves only from the position that the reading began from, and never back', async () => {
    const ledger = await openLedger();
    const { projection } = ledger;
    const at = (offset: bigint) => ({ ...ledger.ledger(), offset });
    expect(await projection.advance(undefined, at(5n), [{ offset: 4n, record: record('a') }])).toBe(true);
    expect(await projection.advance(undefined, at(9n), [{ offset: 8n, record: record('b') }])).toBe(false);
    expect(await projection.advance(at(4n), at(9n), [{ offset: 8n, record: record('b') }])).toBe(false);
    expect(await projection.records(['b'])).toEqual(new Map());
    await projection.put({ offset: 3n, record: record('a', { generation: 7 }) });
    expect((await projection.ask('a')).entry?.record.generation).toBe(1);
    await projection.put({ offset: 12n, record: record('a', { generation: 2 }) });
    expect(await projection.ask('a')).toMatchObject({
      entry: { offset: 12n, record: { generation: 2 } },
      position: at(5n),
    });
  });

  test('of another cluster or topic says nothing about this one', async () => {
    const ledger = await openLedger();
    await ledger.commit(record('mine'));
    const other = { clusterId: 'another', topic: ledger.world.topics.ledger, offset: 1_000n };
    await ledger.projection.advance(undefined, other, [{ offset: 999n, record: record('a') }]);
    expect((await ledger.ask('a')).entry).toBeUndefined();
    expect(await ledger.catchUp()).toMatchObject({ records: 1, rebuilt: expect.stringContaining('another') as string });
    expect(await ledger.projection.records(['a', 'mine'])).toEqual(new Map([['mine', record('mine')]]));
  });

  test('that has a broken entry is put right by the topic', async () => {
    const ledger = await openLedger();
    await ledger.commit(record('a'));
    await ledger.catchUp();
    await ledger.redis.hset(`${ledger.world.redisPrefix}:ledger`, 'a', '0 {"broken":');
    expect(await ledger.ask('a')).toMatchObject({ entry: { record: { file: 'a', rows: 1 } } });
  });

  test('that has seen more of the ledger than there is: refused, not believed and not forgotten', async () => {
    const ledger = await openLedger();
    await ledger.commit(record('a'));
    await ledger.catchUp();
    const position = await ledger.projection.position();
    const beyond = { ...ledger.ledger(), offset: 1_000n };
    await ledger.projection.advance(position, beyond, []);
    await expect(ledger.ask('a')).rejects.toMatchObject({ code: 'ledger-lost' });
    await expect(ledger.catchUp()).rejects.toMatchObject({ code: 'ledger-lost' });
  });
});

describe('what a scan decides from', () => {
  test('is the same part of an entry as of the whole record, whatever is in it', async () => {
    const { projection, redis, world } = await openLedger();
    const tricky = 'cdr_data_","size":7,"state":"adopted","changed":{.csv';
    const changed = { size: 77, mtimeMs: 7000, sha256: 'x', seenAt: 'then' };
    const requested = { generation: 3, by: 'somebody', reason: 'so', at: 'then' };
    const entries = [
      record('plain'),
      record(tricky, { size: 12, mtimeMs: 1_733_583_600_000 }),
      record('partial', { state: 'partial', generation: 2 }),
      record('adopted', { state: 'adopted', sha256: null, mtimeMs: -1000 }),
      record('changed', { changed }),
      record('requested', { requested }),
      record('zero', { size: 0, mtimeMs: 0 }),
    ];
    for (const [i, entry] of entries.entries()) await projection.put({ offset: BigInt(i), record: entry });
    const other = { ...record('other order') };
    await redis.hset(`${world.redisPrefix}:ledger`, {
      'other order': `20 ${JSON.stringify(Object.fromEntries(Object.entries(other).reverse()))}`,
      broken: '21 {"v":1,"state":"committed","generation":1',
      unreadable: '22 unreadable',
      'by hand': 'nobody knows',
      later: `23 ${JSON.stringify({ ...other, v: 2 })}`,
    });
    const asked = [
      ...entries.map(({ file }) => file),
      'other order',
      'broken',
      'unreadable',
      'by hand',
      'later',
      'none',
    ];
    const expected = [...entries, other].map((known) => [known.file, decidingPartOf(known)] as const);
    expect(await projection.decidingParts(asked)).toEqual(new Map(expected));
    expect(await projection.decidingParts([])).toEqual(new Map());
  });
});

describe('the comparison of the whole projection with the ledger', () => {
  test('puts right what is missing, older, other or strange, and leaves alone what is newer', async () => {
    const ledger = await openLedger();
    const { projection, redis, world } = ledger;
    const files = ['right', 'missing', 'older', 'other', 'strange', 'reordered', 'newer'];
    for (const file of files) await ledger.commit(record(file));
    await ledger.commit({ file: 'unreadable', v: 99 });
    await ledger.catchUp();
    const key = `${world.redisPrefix}:ledger`;
    const right = await redis.hgetall(key);
    const reordered = Object.fromEntries(Object.entries(record('reordered')).reverse());
    await redis.hdel(key, 'missing');
    await redis.hset(key, {
      older: `0 ${JSON.stringify(record('older', { generation: 7 }))}`,
      other: (right['other'] ?? '').replace('"generation":1', '"generation":2'),
      strange: 'nobody knows',
      reordered: `${right['reordered']?.split(' ')[0]} ${JSON.stringify(reordered)}`,
      newer: `999 ${JSON.stringify(record('newer', { generation: 2 }))}`,
      unknown: `1 ${JSON.stringify(record('unknown'))}`,
      'unknown and newer': `999 ${JSON.stringify(record('unknown and newer'))}`,
    });
    const check = () => new ProjectionCheck(projection, ledger.ledgerReader).whenDue(ledger.ledger());
    expect((await check()).toSorted()).toEqual(['missing', 'older', 'other', 'strange', 'unknown']);
    const left = await redis.hgetall(key);
    for (const file of ['right', 'missing', 'older', 'other', 'strange', 'unreadable', ''])
      expect(left[file]).toBe(right[file]);
    expect(left['reordered']).not.toBe(right['reordered']);
    expect(left['newer']).toMatch(/^999 /);
    expect(left).not.toHaveProperty('unknown');
    expect(left).toHaveProperty('unknown and newer');
    expect(await check()).toEqual([]);
  });
});

describe('a ledger record that is not ours to understand', () => {
  test.each([
    ['of a later version', record('a', { v: 2, state: 'sealed' })],
    ['whose counts do not add up', record('a', { rows: 5 })],
  ])('%s is reported, and nobody decides from the one before it, also after a scan', async (_, unreadable) => {
    const ledger = await openLedger();
    await ledger.commit(record('a', { state: 'partial' }));
    await ledger.catchUp();
    await ledger.commit(unreadable);
    await expect(ledger.ask('a')).rejects.toMatchObject({ code: 'bad-ledger-record' });
    expect((await ledger.catchUp()).unreadable).toMatchObject([{ file: 'a' }]);
    await expect(ledger.ask('a')).rejects.toMatchObject({ code: 'bad-ledger-record' });
    await expect(changeEntry('a', () => record('a'), ledger)).rejects.toMatchObject({ code: 'bad-ledger-record' });
    expect(await ledger.projection.records(['a'])).toEqual(new Map());
    // a release that understands it writes over it
    await ledger.commit(record('a', { generation: 2 }));
    expect(await ledger.ask('a')).toMatchObject({ entry: { record: { generation: 2 } } });
  });
});
