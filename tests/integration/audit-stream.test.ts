import { AuditStream } from '@cdr/queue/audit-stream';
import { openCommandConnection, untilReady } from '@cdr/queue/redis-connection';
import { expect, onTestFinished, test } from 'vitest';
import { TestWorld } from '../support/test-world.ts';

test('failed logins, however many, do not push out what operators did', async () => {
  const world = new TestWorld();
  const redis = openCommandConnection({ url: world.redisUrl }, () => undefined);
  onTestFinished(() => redis.disconnect());
  await untilReady(redis);
  const stream = new AuditStream(redis, world.redisPrefix);
  const retry = { who: 'alice', from: '192.0.2.7', what: 'retry a failed job', detail: 'f-cdr_data_1.csv' };
  await stream.add(retry);
  const guesses = Array.from({ length: 12_000 }, (_, i) => ({
    ...retry,
    who: `guess ${i}`,
    what: 'login failed',
    detail: '',
  }));
  await Promise.all(guesses.map((guess) => stream.addFailedLogin(guess)));
  await stream.add({ ...retry, what: 'pause', detail: 'x'.repeat(100_000) });

  const latest = await stream.latest(500);
  expect(latest.filter(({ who }) => who === 'alice').map(({ what }) => what)).toEqual(['pause', 'retry a failed job']);
  expect(latest.at(-1)).toMatchObject(retry);
  expect(Math.abs(Date.now() - (latest[0]?.at ?? 0))).toBeLessThan(60_000);
  expect(latest).toHaveLength(502);
  expect(await redis.xlen(`${world.redisPrefix}:audit-failed-logins`)).toBeLessThan(1_200);
  expect(latest.find(({ what }) => what === 'pause')?.detail).toHaveLength(30_000);
});
