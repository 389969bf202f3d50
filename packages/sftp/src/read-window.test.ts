import { randomBytes } from 'node:crypto';
import { CdrError } from '@cdr/core/errors';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkPool } from './chunk-pool.ts';
import { ReadWindow, type OpenFile } from './read-window.ts';

interface PendingRead {
  readonly buffer: Buffer;
  readonly position: number;
  readonly length: number;
  /** Answers with at most so many bytes. */
  answer(mostBytes?: number): void;
  fail(error: Error): void;
}

/** A file whose READs are answered when the test says so, in the order it says. */
class HeldFile implements OpenFile {
  readonly content: Buffer;
  readonly pending: PendingRead[] = [];
  /** READs ever asked for. */
  asked = 0;

  constructor(content: Buffer) {
    this.content = content;
  }

  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    onRead: (bytes: number) => void,
    onError: (error: Error) => void,
  ): void {
    this.asked++;
    const done = (): void => void this.pending.splice(this.pending.indexOf(read), 1);
    const read: PendingRead = {
      buffer,
      position,
      length,
      answer: (mostBytes = length) => {
        done();
        const bytes = this.content.subarray(position, position + Math.min(length, mostBytes)).copy(buffer, offset);
        onRead(bytes);
      },
      fail: (error) => {
        done();
        onError(error);
      },
    };
    this.pending.push(read);
  }

  answerAll(): void {
    while (this.pending.length > 0) this.pending[0]?.answer();
  }
}

function open(bytes: number, options: { start?: number; end?: number; depth?: number; chunk?: number } = {}) {
  const { start = 0, end = bytes, depth = 3, chunk = 10 } = options;
  const file = new HeldFile(randomBytes(bytes));
  const chunks = new ChunkPool(chunk, depth);
  const window = new ReadWindow(file, { path: 'a.csv', start, end }, { depth, chunks });
  return { file, chunks, window };
}

/** 'waiting' when the promise has not settled although everything that was due has run. */
async function now<Value>(promise: Promise<Value>): Promise<Value | 'waiting'> {
  return Promise.race([promise, new Promise<'waiting'>((resolve) => setImmediate(() => resolve('waiting')))]);
}

test('asks for as many chunks as the window is deep and delivers them in order, whatever the order of answers', async () => {
  const { file, window } = open(35);
  expect(file.pending.map(({ position, length }) => [position, length])).toEqual([
    [0, 10],
    [10, 10],
    [20, 10],
  ]);
  const first = window.next();
  file.pending[2]?.answer();
  file.pending[1]?.answer();
  expect(await now(first)).toBe('waiting');
  file.pending[0]?.answer();
  expect(await first).toEqual(file.content.subarray(0, 10));
  expect(await window.next()).toEqual(file.content.subarray(10, 20));
  expect(await window.next()).toEqual(file.content.subarray(20, 30));
});

test('nothing further is read while delivered buffers are not released', async () => {
  const { file, window } = open(100);
  file.answerAll();
  const buffers = [await window.next(), await window.next(), await window.next()];
  const fourth = window.next();
  expect(await now(fourth)).toBe('waiting');
  expect(file.asked).toBe(3);
  window.release(buffers[1] as Buffer);
  expect(file.asked).toBe(4);
  file.answerAll();
  expect(await fourth).toEqual(file.content.subarray(30, 40));
});

test('a released buffer is used again, and may not be released twice', async () => {
  const { file, window } = open(100);
  file.answerAll();
  const buffer = (await window.next()) as Buffer;
  window.release(buffer);
  expect(file.pending[0]?.buffer).toBe(buffer);
  expect(() => window.release(buffer)).toThrow(/released before/);
  expect(() => window.release(Buffer.alloc(10))).toThrow(/not handed out/);
});

test('a short file takes one buffer of its length; an empty one none', async () => {
  const { file, window } = open(7);
  expect(file.pending.map(({ buffer }) => buffer.length)).toEqual([7]);
  file.answerAll();
  expect(await window.next()).toEqual(file.content);
  expect(await window.next()).toBeNull();
  expect(await window.next()).toBeNull();
  const empty = open(0);
  expect(empty.file.asked).toBe(0);
  expect(await empty.window.next()).toBeNull();
});

test('short answers are completed', async () => {
  const { file, window } = open(10);
  const next = window.next();
  file.pending[0]?.answer(4);
  expect(await now(next)).toBe('waiting');
  expect(file.pending.map(({ position, length }) => [position, length])).toEqual([[4, 6]]);
  file.pending[0]?.answer(5);
  file.pending[0]?.answer();
  expect(await next).toEqual(file.content);
});

test('reading ends at the size that was seen, however the file grows', async () => {
  const { file, window } = open(30, { end: 15 });
  file.answerAll();
  expect(await window.next()).toHaveLength(10);
  expect(await window.next()).toEqual(file.content.subarray(10, 15));
  expect(await window.next()).toBeNull();
});

test('reading starts where it is told to', async () => {
  const { file, window } = open(30, { start: 18 });
  file.answerAll();
  expect(await window.next()).toEqual(file.content.subarray(18, 28));
  expect(await window.next()).toEqual(file.content.subarray(28, 30));
  expect(await open(30, { start: 30 }).window.next()).toBeNull();
});

test('a file that ends early has changed', async () => {
  const { file, window } = open(15, { end: 30 });
  file.answerAll();
  const error = await window.next().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(CdrError);
  expect(error).toMatchObject({
    code: 'file-changed',
    message: expect.stringContaining('no bytes at 20 of 30') as string,
  });
});

test('an error reaches whoever waits and whoever comes later, and ends the reading', async () => {
  const { file, window } = open(100);
  const next = window.next();
  const lost = new CdrError('sftp-unavailable', 'lost');
  file.pending[1]?.fail(lost);
  await expect(next).rejects.toBe(lost);
  file.answerAll();
  await expect(window.next()).rejects.toBe(lost);
  expect(file.asked).toBe(3);
});

test('one call of next at a time', async () => {
  const { file, window } = open(10);
  const first = window.next();
  await expect(window.next()).rejects.toThrow(/while an earlier call waits/);
  file.answerAll();
  expect(await first).toHaveLength(10);
});

test('stopped with READs in flight: only buffers that were answered come back to the pool', async () => {
  const { file, chunks, window } = open(100);
  const [first, second, third] = file.pending.map(({ buffer }) => buffer);
  const reads = [...file.pending];
  reads[0]?.answer();
  reads[1]?.answer(3);
  const taken = (await window.next()) as Buffer;
  expect(taken).toBe(first);
  reads[2]?.answer();
  const reason = new Error('closed');
  window.stop(reason);
  await expect(window.next()).rejects.toBe(reason);
  expect(chunks.take(10)).toBe(third);
  // late answers, the rest of the second chunk among them, find nobody and ask for nothing
  const asked = file.asked;
  file.answerAll();
  expect(file.asked).toBe(asked);
  window.release(taken);
  expect(chunks.take(10)).toBe(first);
  expect(chunks.take(10)).not.toBe(second);
});

test('the last byte is taken from a chunk that is on its way', async () => {
  const { file, window } = open(25);
  const lastByte = window.lastByteOnItsWay();
  file.answerAll();
  expect(await lastByte).toBe(file.content.at(-1));
  expect(await window.lastByteOnItsWay()).toBe(file.content.at(-1));
});

test('the last byte of a long file is not on its way yet', () => {
  expect(open(31).window.lastByteOnItsWay()).toBeUndefined();
  expect(open(30, { start: 30 }).window.lastByteOnItsWay()).toBeUndefined();
});

test('waiting for the last byte ends when the reading fails', async () => {
  const { file, window } = open(10);
  const lastByte = window.lastByteOnItsWay();
  file.pending[0]?.fail(new Error('lost'));
  await expect(lastByte).rejects.toThrow('lost');
  await expect(window.lastByteOnItsWay()).rejects.toThrow('lost');
});

test('any sizes, any order and length of answers, any order of releases: the same bytes, in bounded memory', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(200),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 6 }),
      fc.infiniteStream(fc.nat(1_000)),
      async (bytes, chunk, depth, choices) => {
        const choose = (from: number): number => (choices.next().value as number) % from;
        const { file, window } = open(bytes, { chunk, depth });
        const held: Buffer[] = [];
        const read: Buffer[] = [];
        let next = window.next();
        for (;;) {
          expect(file.pending.length + held.length).toBeLessThanOrEqual(depth);
          const got = await now(next);
          if (got === null) break;
          if (got !== 'waiting') {
            read.push(Buffer.from(got));
            held.push(got);
            next = window.next();
          }
          const pending = file.pending[choose(file.pending.length || 1)];
          if (pending && choose(3) > 0) pending.answer(1 + choose(pending.length));
          else if (held.length > 0) window.release(held.splice(choose(held.length), 1)[0] as Buffer);
        }
        expect(Buffer.concat(read)).toEqual(file.content);
      },
    ),
    { numRuns: 150 },
  );
});
