import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, ftruncateSync, openSync, readdirSync, readlinkSync, truncateSync } from 'node:fs';
import { CdrError } from '@cdr/core/errors';
import { openReadWindow, type ReadWindowOptions, type RemoteFileReader } from '@cdr/sftp/read-window';
import type { SftpChannel } from '@cdr/sftp/sftp-channel';
import { describe, expect, test } from 'vitest';
import { errorOf, openPool } from '../support/sftp-test-pool.ts';
import { TestWorld } from '../support/test-world.ts';

const MTIME_MS = 1_733_577_600_000;

/** A file of random bytes on the server, and a channel to read it. */
async function withFile(
  bytes: number,
  use: (file: { world: TestWorld; channel: SftpChannel; path: string; content: Buffer }) => Promise<void>,
): Promise<void> {
  const world = new TestWorld();
  const content = randomBytes(bytes);
  world.files.write('data.csv', content, { mtimeMs: MTIME_MS });
  const path = `${world.files.remotePath}/data.csv`;
  await openPool(world).withChannel((channel) => use({ world, channel, path, content }));
}

async function readAll(reader: RemoteFileReader, hash = createHash('sha256')): Promise<string> {
  for (let chunk = await reader.next(); chunk; chunk = await reader.next()) {
    hash.update(chunk);
    reader.release(chunk);
  }
  return hash.digest('hex');
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('every byte, once and in order', () => {
  test.each<[string, ReadWindowOptions]>([
    ['without knowing the size', {}],
    ['with the size known', { expectedSize: 20_000_000 }],
    ['expecting too little', { expectedSize: 19_999_999 }],
    ['expecting too much', { expectedSize: 30_000_000 }],
    ['expecting nothing', { expectedSize: 0 }],
    ['in chunks that OpenSSH answers in two parts', { chunkBytes: 300_000, depth: 3 }],
    ['one READ at a time', { depth: 1 }],
  ])('20 MB, %s', (_name, options) =>
    withFile(20_000_000, async ({ channel, path, content }) => {
      const reader = await openReadWindow(channel, path, options);
      expect(reader.identity).toEqual({ size: 20_000_000, mtimeMs: MTIME_MS });
      const [lastByte, hash] = await Promise.all([reader.readLastByte(), readAll(reader)]);
      expect(hash).toBe(sha256(content));
      expect(lastByte).toBe(content.at(-1));
      expect(await reader.readLastByte()).toBe(content.at(-1));
      expect(await reader.fstat()).toEqual(reader.identity);
      reader.close();
    }),
  );

  test.each([0, 1, 100_000, 261_119, 261_120, 261_121, 8 * 261_120, 8 * 261_120 + 1])('%i bytes', (bytes) =>
    withFile(bytes, async ({ channel, path, content }) => {
      const reader = await openReadWindow(channel, path, { expectedSize: bytes });
      expect(await reader.readLastByte()).toBe(content.at(-1));
      expect(await readAll(reader)).toBe(sha256(content));
      reader.close();
    }),
  );

  test('from a position on', () =>
    withFile(3_000_000, async ({ channel, path, content }) => {
      for (const startAt of [1, 261_120, 2_999_999, 3_000_000]) {
        const reader = await openReadWindow(channel, path, { startAt, expectedSize: 3_000_000 });
        expect(await reader.readLastByte()).toBe(content.at(-1));
        expect(await readAll(reader)).toBe(sha256(content.subarray(startAt)));
        reader.close();
      }
    }));

  test('several files at a time on channels of one connection', async () => {
    const world = new TestWorld();
    const contents = Array.from({ length: 6 }, () => randomBytes(3_000_000));
    contents.forEach((content, i) => world.files.write(`f${i}`, content));
    const pool = openPool(world);
    const hashes = contents.map((_, i) =>
      pool.withChannel(async (channel) => readAll(await openReadWindow(channel, `${world.files.remotePath}/f${i}`))),
    );
    expect(await Promise.all(hashes)).toEqual(contents.map(sha256));
    expect(pool.connectionCount).toBe(1);
  });
});

describe('a file that changes', () => {
  test('one that became shorter while it was read is an error', () =>
    withFile(20_000_000, async ({ world, channel, path }) => {
      const reader = await openReadWindow(channel, path, { expectedSize: 20_000_000 });
      reader.release((await reader.next()) as Buffer);
      truncateSync(world.files.path('data.csv'), 10_000_000);
      const error = await errorOf(readAll(reader));
      expect(error).toBeInstanceOf(CdrError);
      expect(error).toMatchObject({ code: 'file-changed' });
      expect(await errorOf(reader.next())).toBe(error);
      reader.close();
      // the channel is as good as before
      expect(await channel.exists(path)).toBe(true);
    }));

  test('one that grows ends where it ended when it was opened, and fstat tells', () =>
    withFile(5_000_000, async ({ world, channel, path, content }) => {
      const reader = await openReadWindow(channel, path);
      world.files.append('data.csv', 'more');
      expect(await readAll(reader)).toBe(sha256(content));
      expect(await reader.fstat()).toMatchObject({ size: 5_000_004 });
      reader.close();
    }));

  test('one that is replaced is read to its end as it was', () =>
    withFile(5_000_000, async ({ world, channel, path, content }) => {
      const reader = await openReadWindow(channel, path);
      world.files.write('data.csv', 'another', { atomic: true });
      expect(await readAll(reader)).toBe(sha256(content));
      expect(await channel.stat(path)).toMatchObject({ size: 7 });
      reader.close();
    }));

  test('one that is gone, or is a directory now, has vanished', () =>
    withFile(1, async ({ world, channel, path }) => {
      world.files.remove('data.csv');
      for (const expectedSize of [undefined, 1])
        expect(
          await errorOf(openReadWindow(channel, path, expectedSize === undefined ? {} : { expectedSize })),
        ).toMatchObject({ code: 'file-vanished' });
      world.files.makeDirectory('data.csv');
      expect(await errorOf(openReadWindow(channel, path, { expectedSize: 1 }))).toMatchObject({
        code: 'file-vanished',
      });
    }));
});

describe('the end of a reader', () => {
  test('the connection is cut in mid-read: whoever waits is told', () =>
    withFile(20_000_000, async ({ world, channel, path }) => {
      const reader = await openReadWindow(channel, path);
      reader.release((await reader.next()) as Buffer);
      // frozen first, so that there is something to wait for
      world.sshd.signalSessions('SIGSTOP');
      const reading = errorOf(readAll(reader));
      const looking = errorOf(channel.stat(path));
      world.sshd.killSessions();
      expect(await reading).toMatchObject({ code: 'sftp-unavailable' });
      expect(await looking).toMatchObject({ code: 'sftp-unavailable' });
      expect(await errorOf(reader.fstat())).toMatchObject({ code: 'sftp-unavailable' });
      reader.close();
    }));

  test('closed while READs are in flight: next is rejected, the channel reads on with clean buffers', () =>
    withFile(20_000_000, async ({ channel, path, content }) => {
      for (let i = 0; i < 20; i++) {
        const abandoned = await openReadWindow(channel, path);
        const next = errorOf(readAll(abandoned));
        abandoned.close();
        abandoned.close();
        expect(String(await next)).toContain('was closed');
        expect(String(await errorOf(abandoned.fstat()))).toContain('was closed');
      }
      const reader = await openReadWindow(channel, path);
      expect(await readAll(reader)).toBe(sha256(content));
      reader.close();
    }));

  test.skipIf(!existsSync('/proc/self/fd'))('the server has none of the closed files open', () =>
    withFile(10, async ({ world, channel, path, content }) => {
      const openOnServer = (): number => world.sshd.sessionPids().flatMap(openFilesOf).filter(isOurs).length;
      const isOurs = (file: string): boolean => file.endsWith(path);
      const reader = await openReadWindow(channel, path, { expectedSize: 10 });
      expect(openOnServer()).toBe(1);
      expect(await reader.next()).toEqual(content);
      reader.close();
      (await openReadWindow(channel, path)).close();
      // answered after what was asked before
      await channel.ping();
      expect(openOnServer()).toBe(0);
    }),
  );
});

test('nothing is read ahead of a consumer that keeps its buffers, and reading a large file takes no more memory', async () => {
  const world = new TestWorld();
  const bytes = 300_000_000;
  world.files.write('sparse.csv', '');
  const file = openSync(world.files.path('sparse.csv'), 'r+');
  ftruncateSync(file, bytes);
  closeSync(file);
  await openPool(world).withChannel(async (channel) => {
    const reader = await openReadWindow(channel, `${world.files.remotePath}/sparse.csv`, { expectedSize: bytes });
    const kept: Buffer[] = [];
    for (let i = 0; i < 8; i++) kept.push((await reader.next()) as Buffer);
    let arrived = false;
    const ninth = reader.next().finally(() => (arrived = true));
    // the server answers in order: had there been a READ, it would be answered before this
    await channel.ping();
    expect(arrived).toBe(false);
    for (const buffer of kept) reader.release(buffer);
    reader.release((await ninth) as Buffer);

    const seen = new Set<ArrayBufferLike>();
    let read = 9 * 261_120;
    let early = 0;
    let late = 0;
    for (let chunk = await reader.next(); chunk; chunk = await reader.next()) {
      read += chunk.length;
      seen.add(chunk.buffer);
      reader.release(chunk);
      const { rss } = process.memoryUsage();
      if (read < bytes / 3) early = Math.max(early, rss);
      else late = Math.max(late, rss);
    }
    expect(read).toBe(bytes);
    // the eight of the window, and the shorter one of the last bytes
    expect(seen.size).toBeLessThanOrEqual(9);
    // what is left of it is ssh2's garbage, which does not add up either
    expect(late).toBeLessThan(early + 64_000_000);
    reader.close();
  });
});

/** Paths of the files that a process has open; none of one that is gone by now. */
function openFilesOf(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  try {
    return readdirSync(directory).map((fd) => readlinkSync(`${directory}/${fd}`));
  } catch {
    return [];
  }
}
