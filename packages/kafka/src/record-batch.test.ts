import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { decompressFrameSync } from 'lz4-napi';
import { createRequire } from 'node:module';
import { zstdDecompressSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { BufferPool } from './buffer-pool.ts';
import { COMPRESSIONS, compressorFor, type Compression } from './compression.ts';
import { readBatches, readRecords } from './record-batch-reader.ts';
import { BATCH_HEADER_BYTES, RecordBatch } from './record-batch.ts';

/** A decoder and a checksum that are not ours: kafkajs's own. */
interface Decoded {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly maxTimestamp: string;
  readonly partitionLeaderEpoch: number;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly timestampType: number;
  readonly records: {
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly offset: string;
    readonly timestamp: string;
    readonly headers: Record<string, Buffer>;
  }[];
}
const require = createRequire(import.meta.url);
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => object;
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (decoder: object) => Promise<Decoded>;
const crc32C = require('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (bytes: Buffer) => number;

const NOW_MS = 1_733_583_600_123;
const PRODUCER = { producerId: 123_456_789_012n, epoch: 7 };

interface Message {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

beforeAll(() => {
  const noCompress = () => Promise.reject(new Error('decoding only'));
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.LZ4] = () => ({
    compress: noCompress,
    decompress: async (bytes: Buffer) => decompressFrameSync(bytes),
  });
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
    compress: noCompress,
    decompress: async (bytes: Buffer) => zstdDecompressSync(bytes),
  });
});

/** Appends with bytes around key and value that must not get in. */
function append(batch: RecordBatch, { key, value }: Message): boolean {
  const keys = Buffer.concat([Buffer.from('??'), key, Buffer.from('?')]);
  const values = Buffer.concat([Buffer.from('???'), value, Buffer.from('??')]);
  return batch.append(keys, 2, 2 + key.length, values, 3, 3 + value.length);
}

function batchOf(messages: readonly Message[], compression: Compression, pool = new BufferPool(64 << 10, 1)): Buffer {
  const batch = new RecordBatch(pool);
  for (const message of messages) expect(append(batch, message)).toBe(true);
  batch.seal(compressorFor(compression));
  return batch.stamp(PRODUCER, 42, NOW_MS);
}

const message = fc.record({ key: fc.uint8Array({ maxLength: 150 }), value: fc.uint8Array({ maxLength: 400 }) });
const messages = fc.array(message, { minLength: 1, maxLength: 90, size: 'max' });
/** So alike that every compression pays. */
const alike = Array.from({ length: 300 }, (_, i) => ({
  key: Buffer.from(`2782000${i}`),
  value: Buffer.from(`{"msisdn":"2782000${i}","tower_id":"T1","_record_type":"data"}`),
}));

describe("a batch, as kafkajs's decoder reads it", () => {
  it.each(COMPRESSIONS)('has the records that were put into it: %s', async (compression) => {
    await fc.assert(
      fc.asyncProperty(messages, async (given) => {
        const bytes = batchOf(given, compression);
        expect(crc32C(bytes.subarray(21)) >>> 0).toBe(bytes.readUInt32BE(17));
        expect(bytes.readInt32BE(8)).toBe(bytes.length - 12);
        const { records, lastOffsetDelta } = await decodeBatch(new Decoder(bytes));
        expect(lastOffsetDelta).toBe(given.length - 1);
        expect(records.map(({ offset }) => Number(offset))).toEqual(given.map((_, i) => i));
        expect(records.map(({ key }) => key?.toString('hex'))).toEqual(given.map((it) => hex(it.key)));
        expect(records.map(({ value }) => value?.toString('hex'))).toEqual(given.map((it) => hex(it.value)));
        expect(records.every(({ headers }) => Object.keys(headers).length === 0)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it.each([
    ['none', 0],
    ['gzip', 1],
    ['lz4', 3],
    ['zstd', 4],
  ] as const)('says in its header what it is: %s', async (compression, codec) => {
    const bytes = batchOf(alike, compression);
    expect(bytes.readInt8(16)).toBe(2);
    expect(bytes.readInt16BE(21)).toBe(0x10 | codec);
    expect(bytes.readInt32BE(57)).toBe(alike.length);
    const { records, ...header } = await decodeBatch(new Decoder(bytes));
    expect(header).toEqual({
      firstOffset: '0',
      firstTimestamp: String(NOW_MS),
      maxTimestamp: String(NOW_MS),
      partitionLeaderEpoch: -1,
      inTransaction: true,
      isControlBatch: false,
      lastOffsetDelta: alike.length - 1,
      producerId: '123456789012',
      producerEpoch: 7,
      firstSequence: 42,
      timestampType: 0,
    });
    expect(records).toHaveLength(alike.length);
    expect(records.every(({ timestamp }) => timestamp === String(NOW_MS))).toBe(true);
  });

  it.each(['gzip', 'lz4', 'zstd'] as const)(
    'is smaller by %s when that pays, and sent as it is when not',
    (compression) => {
      const plain = batchOf(alike, 'none').length;
      expect(batchOf(alike, compression).length).toBeLessThan(plain / 2);
      const tiny = [{ key: Buffer.from('k'), value: Buffer.from('v') }];
      const bytes = batchOf(tiny, compression);
      expect(bytes.readInt16BE(21)).toBe(0x10);
      expect(bytes.equals(batchOf(tiny, 'none'))).toBe(true);
    },
  );
});

describe('a length of which the length changes', () => {
  it.each([
    [50, 70],
    [8_170, 8_200],
    [1_048_560, 1_048_580],
  ])('from %i to %i bytes, is right, and so is what comes behind it', (from, to) => {
    for (let length = from; length <= to; length++) {
      const pool = new BufferPool(length + 200, 1);
      const key = Buffer.from('k');
      const two = [Buffer.alloc(length, 'v'), Buffer.from('next')];
      const messages = two.map((value) => ({ key, value }));
      const [read] = [...readBatches(batchOf(messages, 'none', pool))];
      const records = read ? [...readRecords(read)] : [];
      expect(records.map(({ value }) => value?.length)).toEqual([length, 4]);
      expect(records[1]?.value?.toString()).toBe('next');
    }
  });
});

describe('a batch that is full', () => {
  it('says no and stays as it was', () => {
    const sizes = fc.integer({ min: 200, max: 2_000 });
    fc.assert(
      fc.property(sizes, fc.array(message, { minLength: 1, maxLength: 40, size: 'large' }), (bufferBytes, given) => {
        const batch = new RecordBatch(new BufferPool(bufferBytes, 1));
        const taken: Message[] = [];
        for (const one of given) {
          const before = { bytes: batch.bytes, count: batch.count };
          if (append(batch, one)) taken.push(one);
          else expect({ bytes: batch.bytes, count: batch.count }).toEqual(before);
        }
        expect(taken.length).toBeGreaterThan(0);
        batch.seal(compressorFor('none'));
        const [read] = [...readBatches(batch.stamp(PRODUCER, 0, NOW_MS))];
        const records = read ? [...readRecords(read)] : [];
        expect(records.map(({ key, value }) => [key?.toString('hex'), value?.toString('hex')])).toEqual(
          taken.map(({ key, value }) => [hex(key), hex(value)]),
        );
      }),
    );
  });

  it('is one that holds nearly as much as its buffer', () => {
    const pool = new BufferPool(10_000, 1);
    const batch = new RecordBatch(pool);
    while (append(batch, { key: Buffer.from('key'), value: Buffer.alloc(60) }));
    expect(batch.bytes).toBeLessThanOrEqual(10_000);
    expect(batch.bytes).toBeGreaterThan(10_000 - 100);
  });
});

describe('a record that is larger than any buffer', () => {
  it('gets a batch of its own, which holds nothing else', async () => {
    const pool = new BufferPool(1_000, 2);
    const batch = new RecordBatch(pool);
    const value = Buffer.alloc(3_000_000, 'x');
    expect(append(batch, { key: Buffer.from('k'), value })).toBe(true);
    expect(append(batch, { key: Buffer.from('k'), value: Buffer.from('v') })).toBe(false);
    batch.seal(compressorFor('none'));
    const { records } = await decodeBatch(new Decoder(batch.stamp(PRODUCER, 0, NOW_MS)));
    expect(records).toHaveLength(1);
    expect(records[0]?.value?.equals(value)).toBe(true);
    batch.release();
    expect(pool.take()).toHaveLength(1_000);
  });

  it('does not get in behind others', () => {
    const batch = new RecordBatch(new BufferPool(1_000, 1));
    expect(append(batch, { key: Buffer.from('k'), value: Buffer.from('v') })).toBe(true);
    expect(append(batch, { key: Buffer.from('k'), value: Buffer.alloc(5_000) })).toBe(false);
    expect(batch.count).toBe(1);
  });
});

describe('the life of a batch', () => {
  it('is not sent before it is sealed, nor after it was released', () => {
    const batch = new RecordBatch(new BufferPool(1_000, 1));
    append(batch, { key: Buffer.from('k'), value: Buffer.from('v') });
    expect(() => batch.stamp(PRODUCER, 0, NOW_MS)).toThrow('stamp before seal');
    batch.seal(compressorFor('none'));
    batch.stamp(PRODUCER, 0, NOW_MS);
    batch.release();
    expect(() => batch.stamp(PRODUCER, 0, NOW_MS)).toThrow();
  });

  it('ends with its buffer in the pool, of which a few are kept', () => {
    const pool = new BufferPool(1_000, 2);
    const buffers = [1, 2, 3].map(() => pool.take());
    for (const buffer of buffers) pool.give(buffer);
    expect(pool.take()).toBe(buffers[1]);
    expect(pool.take()).toBe(buffers[0]);
    expect(buffers).not.toContain(pool.take());
    pool.give(Buffer.alloc(999));
    expect(pool.take()).toHaveLength(1_000);
  });

  it('starts at the header', () => {
    expect(new RecordBatch(new BufferPool(1_000, 1)).bytes).toBe(BATCH_HEADER_BYTES);
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
