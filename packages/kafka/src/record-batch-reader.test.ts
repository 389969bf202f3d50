import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BufferPool } from './buffer-pool.ts';
import { compressorFor } from './compression.ts';
import { readBatches, readMarker, readRecords, type FetchedBatch } from './record-batch-reader.ts';
import { RecordBatch } from './record-batch.ts';
import { logBatchBytes, markerBytes } from './testing/log-batch.ts';

const PRODUCER = { producerId: 9n, epoch: 3 };

function written(values: readonly string[], compression: 'none' | 'gzip' = 'none'): Buffer {
  const batch = new RecordBatch(new BufferPool(64 << 10, 1));
  for (const value of values) {
    const bytes = Buffer.from(value);
    batch.append(bytes, 0, Math.min(3, bytes.length), bytes, 0, bytes.length);
  }
  batch.seal(compressorFor(compression));
  return Buffer.from(batch.stamp(PRODUCER, 5, 1_733_583_600_000));
}

const first = (bytes: Buffer): FetchedBatch => {
  const [batch] = [...readBatches(bytes)];
  if (!batch) throw new Error('no batch');
  return batch;
};

describe('what RecordBatch wrote', () => {
  it('is read again, one batch behind the other', () => {
    const text = fc.nat({ max: 300 }).map((length) => `${length}é`.padEnd(length, 'x'));
    const texts = fc.array(text, { minLength: 1, maxLength: 70, size: 'large' });
    fc.assert(
      fc.property(fc.array(texts, { minLength: 1, maxLength: 3 }), (batches) => {
        const log = Buffer.concat(
          batches.map((values, i) => {
            const bytes = written(values);
            bytes.writeBigInt64BE(BigInt(i * 1000), 0);
            return bytes;
          }),
        );
        const read = [...readBatches(log)];
        expect(read.map(({ count }) => count)).toEqual(batches.map(({ length }) => length));
        for (const [i, batch] of read.entries()) {
          const values = batches[i] ?? [];
          expect(batch).toMatchObject({
            baseOffset: BigInt(i * 1000),
            lastOffset: BigInt(i * 1000 + values.length - 1),
            producerId: 9n,
            epoch: 3,
            transactional: true,
            control: false,
            codec: 0,
          });
          const records = [...readRecords(batch)];
          expect(records.map(({ offset }) => Number(offset))).toEqual(values.map((_, at) => i * 1000 + at));
          expect(records.map(({ value }) => value?.toString())).toEqual(values);
          expect(records.map(({ key }) => key?.toString('hex'))).toEqual(
            values.map((value) => Buffer.from(value).subarray(0, 3).toString('hex')),
          );
        }
      }),
      { numRuns: 20 },
    );
  });

  it('is left out where it was cut short, at whatever byte', () => {
    const log = Buffer.concat([written(['a', 'b']), written(['c'])]);
    const whole = written(['a', 'b']).length;
    for (let cut = 0; cut < log.length; cut++)
      expect([...readBatches(log.subarray(0, cut))]).toHaveLength(cut < whole ? 0 : 1);
    expect([...readBatches(log)]).toHaveLength(2);
  });

  it('is refused where it is compressed', () => {
    const batch = first(
      written(
        Array.from({ length: 50 }, () => 'the same again'),
        'gzip',
      ),
    );
    expect(batch.codec).toBe(1);
    expect(() => [...readRecords(batch)]).toThrow('offset 0 is compressed');
  });

  it('is refused where its records end too early', () => {
    const batch = first(written(['abcdef']));
    // the last byte counts the headers, which nobody reads
    for (let cut = 0; cut < batch.payload.length - 1; cut++)
      expect(() => [...readRecords({ ...batch, payload: batch.payload.subarray(0, cut) })]).toThrow(
        'ends within a record',
      );
  });
});

describe('what others wrote', () => {
  const batch = {
    baseOffset: 5_000_000_000,
    lastOffsetDelta: 9,
    producerId: 4n,
    epoch: 1,
    transactional: false,
    control: false,
  };

  it('may have holes, nulls, headers and large deltas', () => {
    const records = [
      { offsetDelta: 1, key: null, value: Buffer.from('v'), headers: [['h', 'x'] as const, ['', ''] as const] },
      { offsetDelta: 3, key: Buffer.alloc(0), value: null },
      { offsetDelta: 20_000, key: Buffer.alloc(300, 'k'), value: Buffer.alloc(20_000, 'v') },
    ];
    const read = first(logBatchBytes({ ...batch, records }));
    expect(read).toMatchObject({ lastOffset: 5_000_000_009n, transactional: false, count: 3 });
    expect([...readRecords(read)]).toEqual(
      records.map(({ offsetDelta, key, value }) => ({ offset: BigInt(5_000_000_000 + offsetDelta), key, value })),
    );
  });

  it('may have been emptied by compaction', () => {
    const read = first(logBatchBytes({ ...batch, records: [] }));
    expect(read).toMatchObject({ count: 0, lastOffset: 5_000_000_009n });
    expect([...readRecords(read)]).toEqual([]);
  });

  it('is refused in a format that this does not read', () => {
    const bytes = logBatchBytes({ ...batch, records: [] });
    bytes[16] = 1;
    expect(() => [...readBatches(bytes)]).toThrow('magic 1');
  });
});

describe('a marker', () => {
  it.each([
    ['commit', 'commit'],
    ['abort', 'abort'],
    ['empty', 'other'],
    [2, 'other'],
    [-1, 'other'],
  ] as const)('%s is %s', (type, expected) => {
    const read = first(markerBytes(77, 12n, 6, type));
    expect(read).toMatchObject({ control: true, transactional: true, producerId: 12n, epoch: 6, lastOffset: 77n });
    expect(readMarker(read)).toBe(expected);
  });

  it.each([
    ['null', null],
    ['too short', Buffer.from([0, 0, 0])],
  ])('with a key that is %s is other', (_, key) => {
    const records = [{ offsetDelta: 0, key, value: null }];
    const bytes = logBatchBytes({
      baseOffset: 0,
      lastOffsetDelta: 0,
      producerId: 1n,
      epoch: 0,
      transactional: true,
      control: true,
      records,
    });
    expect(readMarker(first(bytes))).toBe('other');
  });
});
