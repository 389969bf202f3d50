import { randomBytes } from 'node:crypto';
import { openReadWindow } from '@cdr/sftp/read-window';
import { expect, onTestFinished, test } from 'vitest';
import { pollUntil } from '../support/poll-until.ts';
import { errorOf, openPool } from '../support/sftp-test-pool.ts';
import { TestWorld } from '../support/test-world.ts';

test('connects when it is needed; whoever comes meanwhile shares the attempt', async () => {
  let connected = 0;
  const pool = openPool(new TestWorld(), {}, { onConnected: () => connected++ });
  expect(pool.connectionCount).toBe(0);
  const channels = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire(), pool.probe()]);
  expect(new Set(channels.slice(0, 3)).size).toBe(3);
  expect(connected).toBe(1);
});

test('a channel that was released is used again', async () => {
  const pool = openPool(new TestWorld());
  const first = await pool.acquire();
  pool.release(first);
  pool.release(first);
  expect(await pool.acquire()).toBe(first);
  expect(await pool.acquire()).not.toBe(first);
  await expect(pool.withChannel(() => Promise.reject(new Error('work failed')))).rejects.toThrow('work failed');
});

test('more than eight channels take a second connection, and all of them work', async () => {
  const world = new TestWorld();
  const pool = openPool(world);
  const channels = await Promise.all(Array.from({ length: 17 }, () => pool.acquire()));
  expect(new Set(channels).size).toBe(17);
  expect(pool.connectionCount).toBe(3);
  const there = await Promise.all(channels.map((channel) => channel.exists(world.files.remotePath)));
  expect(there).toEqual(Array.from({ length: 17 }, () => true));
});

test('connections that broke are made again', async () => {
  const world = new TestWorld();
  const lost: string[] = [];
  const pool = openPool(world, {}, { onLost: (error) => lost.push(error.code) });
  const held = await pool.acquire();
  pool.release(await pool.acquire());
  world.sshd.killSessions();
  await pollUntil('the loss', () => lost.length > 0);
  expect(lost).toEqual(['sftp-unavailable']);
  expect(held.isLost).toBe(true);
  expect(await errorOf(held.list(world.files.remotePath))).toMatchObject({ code: 'sftp-unavailable' });
  pool.release(held);
  const again = await pool.acquire();
  expect(await again.list(world.files.remotePath)).toEqual([]);
  expect(again).not.toBe(held);
});

test('a server that is gone is waited for without hammering it, and used when it is back', async () => {
  const world = new TestWorld();
  onTestFinished(async () => {
    if (world.sshd.pid === undefined) await world.sshd.restart();
  });
  const failures: number[] = [];
  const pool = openPool(world, {}, { onConnectFailed: () => failures.push(performance.now()) });
  await pool.probe();
  await world.sshd.kill();
  await pollUntil('the loss', () => pool.connectionCount === 0);
  const startedAt = performance.now();
  // many slots ask over and over, as they would not even do
  while (performance.now() - startedAt < 1_500)
    for (const error of await Promise.all(Array.from({ length: 8 }, () => errorOf(pool.acquire()))))
      expect(error).toMatchObject({ code: 'sftp-unavailable' });
  // at 0, 200, 600, 1,400 and 3,000 ms
  expect(failures.length).toBeGreaterThanOrEqual(2);
  expect(failures.length).toBeLessThanOrEqual(5);
  await world.sshd.restart();
  await pollUntil('the server to be back', async () => (await errorOf(pool.probe())) === undefined);
  expect(await pool.withChannel((channel) => channel.list(world.files.remotePath))).toEqual([]);
});

test('a frozen server: a probe ends in time, and so does closing, with reads in flight', async () => {
  const world = new TestWorld();
  world.files.write('data.csv', randomBytes(5_000_000));
  onTestFinished(() => world.sshd.signalSessions('SIGCONT'));
  const pool = openPool(world);
  const channel = await pool.acquire();
  const reader = await openReadWindow(channel, `${world.files.remotePath}/data.csv`);
  world.sshd.signalSessions('SIGSTOP');
  const reading = errorOf(
    (async () => {
      for (let chunk = await reader.next(); chunk; chunk = await reader.next()) reader.release(chunk);
    })(),
  );
  const probing = errorOf(pool.probe());
  const closingAt = performance.now();
  await pool.close();
  expect(performance.now() - closingAt).toBeLessThan(2_000);
  expect(await reading).toMatchObject({ code: 'shutdown' });
  expect(await probing).toMatchObject({ code: 'shutdown' });
  reader.close();
  pool.release(channel);
});

test('a server that answers keepalives no more is given up', async () => {
  const world = new TestWorld();
  onTestFinished(() => world.sshd.signalSessions('SIGCONT'));
  const pool = openPool(world, { keepaliveIntervalMs: 100, keepaliveCountMax: 2 });
  const channel = await pool.acquire();
  world.sshd.signalSessions('SIGSTOP');
  expect(await errorOf(channel.list(world.files.remotePath))).toMatchObject({ code: 'sftp-unavailable' });
  expect(pool.connectionCount).toBe(0);
});
