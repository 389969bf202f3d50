import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { GeneratedFile } from '@cdr/core/generate-cdr';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const java = useJavaConsumer();
const MANY = { deadlineMs: 120_000 };

function names(files: readonly GeneratedFile[]): string[] {
  return files.map(({ name }) => name);
}

/** Small files and, among them, one that is read while it all happens. */
function uploadMix(scenario: Scenario): GeneratedFile[] {
  const small = scenario.upload(20, 300);
  const [large] = scenario.upload(1, 20_000, 99);
  return large ? [large, ...small.filter(({ name }) => name !== large.name)] : small;
}

async function configure(scenario: Scenario, maxmemory: string): Promise<void> {
  const redis = new Redis(scenario.world.redisUrl);
  try {
    await redis.config('SET', 'maxmemory', maxmemory);
  } finally {
    redis.disconnect();
  }
}

describe('Redis', () => {
  test('killed and restarted, three times in mid-ingest', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '3000' });
    const files = uploadMix(scenario);
    scenario.scanner();
    const worker = scenario.faultyWorker('streamed:slow');
    for (const count of [2, 6, 10]) {
      await scenario.untilSome(files, count);
      await scenario.world.redis.kill();
      await scenario.world.redis.restart();
    }
    await scenario.untilCommitted(names(files), MANY);
    await scenario.expectExactly(files);
    expect(worker.other).toEqual([]);
  });

  test('flushed, three times in mid-ingest, while jobs run under locks that are gone', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '3000' });
    const files = uploadMix(scenario);
    scenario.scanner();
    scenario.faultyWorker('streamed:slow');
    scenario.faultyWorker('before-commit:slow');
    for (const count of [2, 5, 8]) {
      await scenario.untilSome(files, count);
      await scenario.flushRedis();
    }
    await scenario.untilCommitted(names(files), MANY);
    await scenario.expectExactly(files);
  });

  test('restored from an older snapshot in mid-ingest, everybody running', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '3000' });
    const files = uploadMix(scenario);
    scenario.scanner();
    scenario.faultyWorker('streamed:slow');
    scenario.faultyWorker('projected:slow');
    await scenario.untilSome(files, 2);
    const snapshot = path.join(mkdtempSync(path.join(tmpdir(), 'cdr-')), 'snapshot');
    await scenario.world.redis.snapshot(snapshot);
    await scenario.untilSome(files, 8);
    await scenario.world.redis.restore(snapshot);
    await scenario.untilSome(files, 12);
    // the same past once more
    await scenario.world.redis.restore(snapshot);
    await scenario.untilCommitted(names(files), MANY);
    await scenario.expectExactly(files);
  });

  test('out of memory in mid-ingest: said, waited for, no attempt spent', async () => {
    const scenario = new Scenario(java, { JOB_LOCK_MS: '6000' });
    const files = uploadMix(scenario);
    const scanner = scenario.scanner();
    const worker = scenario.faultyWorker('streamed:slow');
    onTestFinished(() => configure(scenario, '0'));
    await scenario.untilSome(files, 3);
    await configure(scenario, '1mb');
    await pollUntil('somebody to notice', () =>
      [...worker.lines, ...scanner.lines].some(({ msg, problem }) => /OOM/.test(`${msg} ${String(problem)}`)),
    );
    await configure(scenario, '0');
    await scenario.untilCommitted(names(files), MANY);
    await scenario.expectExactly(files);
    for (const { name } of files) expect((await scenario.untilCompleted(name)).attemptsMade).toBeLessThanOrEqual(1);
    expect([...worker.lines, ...scanner.lines].filter(({ level }) => level === 'error')).toEqual([]);
    expect([...worker.lines, ...scanner.lines].length).toBeLessThan(1_000);
  });

  test('frozen past every lock, then woken', async () => {
    const scenario = new Scenario(java);
    const files = uploadMix(scenario);
    const scanner = scenario.scanner();
    const worker = scenario.faultyWorker('streamed:slow');
    await scenario.untilSome(files, 3);
    scenario.world.redis.signal('SIGSTOP');
    onTestFinished(() => scenario.world.redis.signal('SIGCONT'));
    await Promise.all([scanner, worker].map((app) => app.untilMessage(/^Redis is away|^Redis connection/, MANY)));
    scenario.world.redis.signal('SIGCONT');
    await scenario.untilCommitted(names(files), MANY);
    await scenario.expectExactly(files);
  });

  test.each(['up', 'down'] as const)('silent on connections that stay open (%s): given up, made anew', async (way) => {
    const scenario = new Scenario(java, { JOB_LOCK_MS: '6000' });
    const files = uploadMix(scenario);
    const proxy = await TcpProxy.start({ host: '127.0.0.1', port: scenario.world.redis.port });
    onTestFinished(() => proxy.close());
    const env = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
    const scanner = scenario.scanner(env);
    const worker = scenario.faultyWorker('streamed:slow', env);
    await scenario.untilSome(files, 3);
    proxy.swallow(way);
    await Promise.all([scanner, worker].map((app) => app.untilMessage(/^Redis is away|^Redis connection/, MANY)));
    // what was open stays dead: only who gives it up gets through
    await proxy.restore();
    await scenario.untilCommitted(names(files), MANY);
    await scenario.expectExactly(files);
  });
});
