import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { CdrError, errorCodeOf } from '@cdr/core/errors';
import type { FileIdentity } from '@cdr/core/ledger-record';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GunzipReader } from './gunzip-reader.ts';
import type { RemoteFileReader } from './read-window.ts';

const MTIME_MS = 1_733_577_600_000;

/** A file in memory, read in chunks of one size. */
class MemoryFile implements RemoteFileReader {
  readonly isCompressed = false;
  readonly identity: FileIdentity;
  readonly released = new Set<Buffer>();
  fileBytesRead = 0;
  /** What fstat says. */
  now: FileIdentity;
  closed = false;
  /** `next` fails with this, when all bytes were read. */
  failure: Error | undefined;
  private readonly content: Buffer;
  private readonly chunkBytes: number;

  constructor(content: Buffer, chunkBytes = 261_120) {
    this.content = content;
    this.chunkBytes = chunkBytes;
    this.identity = { size: content.length, mtimeMs: MTIME_MS };
    this.now = this.identity;
  }

  get contentBytes(): number {
    return this.content.length;
  }

  readLastByte(): Promise<number | undefined> {
    return Promise.resolve(this.content.at(-1));
  }

  next(): Promise<Buffer | null> {
    if (this.fileBytesRead >= this.content.length)
      return this.failure ? Promise.reject(this.failure) : Promise.resolve(null);
    const chunk = Buffer.from(this.content.subarray(this.fileBytesRead, this.fileBytesRead + this.chunkBytes));
    this.fileBytesRead += chunk.length;
    return Promise.resolve(chunk);
  }

  release(buffer: Buffer): void {
    this.released.add(buffer);
    // as the next file's bytes would
    buffer.fill(0xff);
  }

  fstat(): Promise<FileIdentity> {
    return Promise.resolve(this.now);
  }

  close(): void {
    this.closed = true;
  }
}

async function readAll(reader: RemoteFileReader): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let chunk = await reader.next(); chunk; chunk = await reader.next()) {
    chunks.push(chunk);
    reader.release(chunk);
  }
  return Buffer.concat(chunks);
}

/** The content, or the code of what reading it ends with. */
async function outcomeOf(file: Buffer, chunkBytes?: number): Promise<Buffer | string> {
  const reader = new GunzipReader(new MemoryFile(file, chunkBytes), 100);
  try {
    return await readAll(reader);
  } catch (error) {
    // it stays so
    expect(await reader.next().catch((again: unknown) => again)).toBe(error);
    expect(reader.contentBytes).toBeUndefined();
    return errorCodeOf(error);
  } finally {
    reader.close();
  }
}

const CSV = Buffer.from(`msisdn,tower_id\n${Array.from({ length: 40 }, (_, i) => `+2782${i},${i % 7}\n`).join('')}`);

describe('what a gzip file was made of', () => {
  test('comes as it was, in any number of members, read in chunks of any size', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 3_000 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 400 }),
        async (parts, chunkBytes) => {
          const content = Buffer.concat(parts);
          const file = Buffer.concat(parts.map((part) => gzipSync(part)));
          const memory = new MemoryFile(file, chunkBytes);
          const reader = new GunzipReader(memory, 100);
          expect(reader.contentBytes).toBeUndefined();
          expect(await readAll(reader)).toEqual(content);
          expect(await reader.next()).toBeNull();
          expect(reader.contentBytes).toBe(content.length);
          expect(reader.fileBytesRead).toBe(file.length);
          expect(memory.released.size).toBe(Math.ceil(file.length / chunkBytes));
          expect(reader.identity).toEqual({ size: file.length, mtimeMs: MTIME_MS });
          reader.close();
          expect(memory.closed).toBe(true);
        },
      ),
      { numRuns: 60 },
    ));

  test('is decompressed no further than it is taken', async () => {
    const file = new MemoryFile(gzipSync(randomBytes(4_000_000)), 100_000);
    const reader = new GunzipReader(file, 100);
    const first = await reader.next();
    for (let i = 0; i < 100; i++) await setImmediate();
    const readAhead = file.fileBytesRead;
    // one piece in zlib's hands, and what it may have given beyond the first
    expect(readAhead).toBeLessThanOrEqual(1_000_000);
    expect(file.released.size).toBeGreaterThanOrEqual(readAhead / 100_000 - 1);
    expect((await readAll(reader)).length + (first?.length ?? 0)).toBe(4_000_000);
  });
});

describe('a file that is not whole', () => {
  test('is told at whatever byte it is cut', async () => {
    const [first, second] = [gzipSync(CSV), gzipSync('+27,1\n')];
    const whole = Buffer.concat([first, second]);
    for (let bytes = 0; bytes < whole.length; bytes++)
      for (const chunkBytes of [1, 10_000])
        expect(await outcomeOf(whole.subarray(0, bytes), chunkBytes), `${bytes} bytes`).toEqual(
          // a file that ends with a member is one to which nothing was appended yet
          bytes === first.length ? CSV : 'gzip-truncated',
        );
  });

  test('is told whichever bit of it is another one: its content comes as it was, or not to its end', async () => {
    const whole = Buffer.concat([gzipSync(CSV), gzipSync('+27,1\n')]);
    const content = Buffer.concat([CSV, Buffer.from('+27,1\n')]);
    const outcomes = new Map<string, number>();
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const damaged = Buffer.from(whole);
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const outcome = await outcomeOf(damaged);
      // a bit of the header that says nothing of the content: its time, or the system it was made on
      if (typeof outcome !== 'string') expect(outcome).toEqual(content);
      const kind = typeof outcome === 'string' ? outcome : 'content';
      outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
    }
    expect([...outcomes.keys()].sort()).toEqual(['bad-gzip', 'content', 'gzip-truncated']);
    expect(outcomes.get('content')).toBeLessThan(2 * 8 * 10);
  });

  test.each([
    ['text', Buffer.from('msisdn,tower_id\n1,2\n')],
    ['rubbish', randomBytes(5_000).fill(0, 0, 2)],
    ['a zip archive', Buffer.from('504b0304140000000800', 'hex')],
  ])('is bad when it is %s under this name', async (_, file) => {
    expect(await outcomeOf(file)).toBe('bad-gzip');
  });

  test.each([
    ['a zero', Buffer.alloc(1)],
    ['zeros', Buffer.alloc(100_000)],
    ['text', Buffer.from('and so on\n')],
    ['zeros and another member', Buffer.concat([Buffer.alloc(10), gzipSync('x')])],
  ])('is bad when %s stand behind its end', async (_, rest) => {
    for (const chunkBytes of [1, 1_000, 261_120])
      expect(await outcomeOf(Buffer.concat([gzipSync(CSV), rest]), chunkBytes)).toBe('bad-gzip');
  });

  test('is no fault when it is written to at this moment', async () => {
    const file = new MemoryFile(gzipSync(CSV).subarray(0, -5));
    file.now = { size: file.identity.size + 5, mtimeMs: MTIME_MS };
    await expect(readAll(new GunzipReader(file, 100))).rejects.toMatchObject({ code: 'file-changed' });
  });

  test('names what to do', async () => {
    const error: unknown = await readAll(new GunzipReader(new MemoryFile(gzipSync(CSV).subarray(0, -5)), 100)).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({
      message: expect.stringMatching(/^the gzip data have no end(, after \d+ bytes of content)?$/) as string,
      hint: expect.stringContaining('upload it again') as string,
    });
  });
});

describe('a file that becomes very large', () => {
  const MIB = 1024 * 1024;

  test('is refused at the ratio, with no more of it decompressed than that', async () => {
    const file = gzipSync(Buffer.alloc(120 * MIB));
    const reader = new GunzipReader(new MemoryFile(file), 700);
    let given = 0;
    const error = await (async () => {
      for (let chunk = await reader.next(); chunk; chunk = await reader.next()) given += chunk.length;
      return 'no error';
    })().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'gzip-too-large',
      message: `the file becomes more than 700 times its ${file.length} bytes`,
      hint: expect.stringContaining('GZIP_MAX_RATIO') as string,
    });
    expect(given).toBeLessThanOrEqual(700 * file.length);
    expect(given).toBeGreaterThan(700 * file.length - MIB);
  });

  test('is not, below 64 MiB, or when the ratio is allowed', async () => {
    expect((await outcomeOf(gzipSync(Buffer.alloc(60 * MIB)))).length).toBe(60 * MIB);
    const reader = new GunzipReader(new MemoryFile(gzipSync(Buffer.alloc(100 * MIB))), 2_000);
    expect((await readAll(reader)).length).toBe(100 * MIB);
  });
});

describe('what happens to its file', () => {
  test('a failure of reading is passed on as it is', async () => {
    const file = new MemoryFile(gzipSync(randomBytes(500_000)).subarray(0, 400_000));
    file.failure = new CdrError('sftp-unavailable', 'the connection is gone');
    await expect(readAll(new GunzipReader(file, 100))).rejects.toBe(file.failure);
  });

  test('closed while it is read: whoever waits is told, and nothing is taken for the end', async () => {
    const file = new MemoryFile(gzipSync(randomBytes(3_000_000)));
    const reader = new GunzipReader(file, 100);
    await reader.next();
    const waiting = readAll(reader);
    reader.close();
    await expect(waiting).rejects.toThrow('closed');
    await expect(reader.next()).rejects.toThrow('closed');
    expect(file.closed).toBe(true);
  });

  test('closed before it is read', async () => {
    const file = new MemoryFile(gzipSync(CSV));
    const reader = new GunzipReader(file, 100);
    reader.close();
    await expect(reader.next()).rejects.toThrow('closed');
    expect(file.fileBytesRead).toBe(0);
  });
});
