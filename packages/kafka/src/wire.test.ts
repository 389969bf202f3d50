import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WireReader, WireWriter } from './wire.ts';

type Item =
  | { readonly type: 'int8' | 'int16' | 'int32'; readonly value: number }
  | { readonly type: 'int64'; readonly value: bigint }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'array'; readonly value: readonly number[] };

const signed = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
const item: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ type: fc.constant('int16' as const), value: signed(16) }),
  fc.record({ type: fc.constant('int32' as const), value: signed(32) }),
  fc.record({ type: fc.constant('int64' as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ type: fc.constant('string' as const), value: fc.string({ unit: 'binary' }) }),
  fc.record({ type: fc.constant('bytes' as const), value: fc.uint8Array() }),
  fc.record({ type: fc.constant('array' as const), value: fc.array(signed(32)) }),
);

function write(writer: WireWriter, one: Item): void {
  switch (one.type) {
    case 'int8':
    case 'int16':
    case 'int32':
      writer[one.type](one.value);
      return;
    case 'int64':
      writer.int64(one.value);
      return;
    case 'string':
      writer.string(one.value);
      return;
    case 'bytes':
      writer.bytesWithLength(one.value);
      return;
    case 'array':
      writer.array(one.value, (inner, value) => inner.int32(value));
  }
}

function read(reader: WireReader, type: Item['type']): Item['value'] {
  switch (type) {
    case 'int8':
      throw new Error('no answer has one');
    case 'int16':
    case 'int32':
    case 'int64':
    case 'string':
      return reader[type]();
    case 'bytes':
      return new Uint8Array(reader.bytesWithLength());
    case 'array':
      return reader.array((inner) => inner.int32());
  }
}

describe('the types of the protocol', () => {
  it('are read as they were written, whatever the first guess at their size', () => {
    fc.assert(
      fc.property(fc.array(item), fc.integer({ min: 0, max: 64 }), (items, sizeHint) => {
        const writer = new WireWriter(sizeHint);
        for (const one of items) write(writer, one);
        const reader = new WireReader(writer.finish());
        for (const { type, value } of items) expect(read(reader, type)).toEqual(value);
        expect(() => reader.int16()).toThrow(RangeError);
      }),
    );
  });

  it('are big endian, with classic lengths', () => {
    const bytes = new WireWriter(0)
      .int8(-1)
      .int16(258)
      .int32(-2)
      .int64(3n)
      .string('é')
      .bytesWithLength(Buffer.from([9]))
      .array([7], (writer, value) => writer.int16(value))
      .finish();
    expect(bytes.toString('hex')).toBe(
      'ff' + '0102' + 'fffffffe' + '0000000000000003' + '0002c3a9' + '0000000109' + '000000010007',
    );
  });

  it('have a compact form, as the protocol documents it', () => {
    const writer = new WireWriter(0).unsignedVarint(0).unsignedVarint(127).unsignedVarint(128).unsignedVarint(300);
    expect(
      writer
        .compactString('é')
        .raw(Buffer.from([7, 8]))
        .finish()
        .toString('hex'),
    ).toBe('00' + '7f' + '8001' + 'ac02' + '03c3a9' + '0708');
    const reader = new WireReader(writer.finish());
    expect([1, 2, 3, 4].map(() => reader.unsignedVarint())).toEqual([0, 127, 128, 300]);
    expect(reader.compactString()).toBe('é');
    expect(reader.raw(2)).toEqual(Buffer.from([7, 8]));
  });

  it('read null as empty', () => {
    const nulls = new WireWriter().int16(-1).int32(-1).int32(-1).int16(5).finish();
    const reader = new WireReader(nulls);
    expect(reader.string()).toBe('');
    expect(reader.bytesWithLength()).toHaveLength(0);
    expect(reader.array(() => 1)).toEqual([]);
    expect(reader.int16()).toBe(5);
  });

  it('are never read beyond the end of what came', () => {
    fc.assert(
      fc.property(item, fc.nat(), (one, cut) => {
        const writer = new WireWriter();
        write(writer, one);
        const whole = writer.finish();
        const reader = new WireReader(whole.subarray(0, cut % whole.length));
        expect(() => read(reader, one.type)).toThrow(RangeError);
      }),
    );
  });
});
