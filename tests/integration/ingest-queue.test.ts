import type { IngestJob } from '@cdr/core/ingest-job';
import { jobIdOf } from '@cdr/core/job-id';
import { IngestQueue } from '@cdr/queue/ingest-queue';
import { openCommandConnection, untilReady, type Redis } from '@cdr/queue/redis-connection';
import { expect, onTestFinished, test } from 'vitest';
import { TestWorld } from '../support/test-world.ts';

const NOTHING = { added: 0, queued: 0, failed: 0, limbo: 0 };
const LONG_AGO = Date.now() - 3_600_000;

async function openQueue() {
  const world = new TestWorld();
  const redis = openCommandConnection({ url: world.redisUrl }, () => undefined);
  await untilReady(redis);
  const queue = new IngestQueue({ url: world.redisUrl, prefix: world.redisPrefix }, redis, () => undefined);
  await queue.untilReady();
  onTestFinished(async () => {
    await queue.close();
    redis.disconnect();
  });
  return { queue, redis, key: (name: string) => `${world.redisPrefix}:cdr-files:${name}` };
}

function jobFor(file: string, changes: Partial<IngestJob> = {}): IngestJob {
  return { file, feed: 'data', size: 10, mtimeMs: 1_000, generation: 1, ...changes };
}

/** Moves a waiting job to where BullMQ keeps finished ones. */
async function finish(redis: Redis, key: (name: string) => string, job: IngestJob, set: string, at: number) {
  const id = jobIdOf(job.file);
  await redis.lrem(key('wait'), 0, id);
  await redis.hset(key(id), 'finishedOn', at);
  await redis.zadd(key(set), at, id);
}

test('what is not there is added, in the order given, once', async () => {
  const { queue, redis, key } = await openQueue();
  const jobs = ['cdr_data_2.csv', 'cdr_data_ü.csv', 'delayed', '7'].map((file) => jobFor(file));

  expect(await queue.enqueue(jobs, false)).toEqual({ ...NOTHING, added: 4 });
  expect(await redis.lrange(key('wait'), 0, -1)).toEqual(jobs.map(({ file }) => jobIdOf(file)).toReversed());
  expect(await queue.enqueue(jobs, false)).toEqual({ ...NOTHING, queued: 4 });
  expect((await queue.counts()).waiting).toBe(4);
});

test('more than fit into one look-up', async () => {
  const { queue, redis, key } = await openQueue();
  const jobs = Array.from({ length: 2_345 }, (_, i) => jobFor(`cdr_data_${i}.csv`));

  expect(await queue.enqueue(jobs.slice(0, 1_200), false)).toEqual({ ...NOTHING, added: 1_200 });
  expect(await queue.enqueue(jobs, false)).toEqual({ ...NOTHING, added: 1_145, queued: 1_200 });
  expect(await redis.lrange(key('wait'), 0, -1)).toEqual(jobs.map(({ file }) => jobIdOf(file)).toReversed());
});

test('a failed job stays as it is until the file or the generation is another', async () => {
  const { queue, redis, key } = await openQueue();
  const job = jobFor('cdr_data_1.csv');
  await queue.enqueue([job], false);
  await finish(redis, key, job, 'failed', Date.now());

  expect(await queue.enqueue([job], false)).toEqual({ ...NOTHING, failed: 1 });
  expect(await queue.enqueue([jobFor(job.file, { size: 11 })], false)).toEqual({ ...NOTHING, added: 1 });
  expect(await queue.counts()).toMatchObject({ waiting: 1, failed: 0 });
});

test('a completed job is done again, unless it was this very file a moment ago', async () => {
  const { queue, redis, key } = await openQueue();
  const [now, before] = [jobFor('cdr_data_1.csv'), jobFor('cdr_data_2.csv')];
  await queue.enqueue([now, before], false);
  await finish(redis, key, now, 'completed', Date.now());
  await finish(redis, key, before, 'completed', LONG_AGO);

  expect(await queue.enqueue([now, before], false)).toEqual({ ...NOTHING, queued: 1, added: 1 });
  expect(await queue.enqueue([jobFor(now.file, { generation: 2 })], false)).toEqual({ ...NOTHING, added: 1 });
  expect(await queue.counts()).toMatchObject({ waiting: 2, completed: 0 });
});

test('a finished job whose data are gone does not keep its file out', async () => {
  const { queue, redis, key } = await openQueue();
  const job = jobFor('cdr_data_1.csv');
  await redis.zadd(key('failed'), LONG_AGO, jobIdOf(job.file));

  expect(await queue.enqueue([job], false)).toEqual({ ...NOTHING, added: 1 });
  expect(await queue.counts()).toMatchObject({ waiting: 1, failed: 0 });
});

test('an old job that is in no list is made anew, when it is looked for', async () => {
  const { queue, redis, key } = await openQueue();
  const job = jobFor('cdr_data_1.csv');
  await queue.enqueue([job], false);
  await redis.lrem(key('wait'), 0, jobIdOf(job.file));
  await redis.hset(key(jobIdOf(job.file)), 'timestamp', LONG_AGO);

  expect(await queue.enqueue([job], false)).toEqual({ ...NOTHING, queued: 1 });
  expect(await queue.enqueue([job], true)).toEqual({ ...NOTHING, limbo: 1, added: 1 });
  expect((await queue.counts()).waiting).toBe(1);
});
