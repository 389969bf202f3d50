import fc from 'fast-check';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { murmur2, partitionOfKey } from './murmur2.ts';

const require = createRequire(import.meta.url);
const kafkajsMurmur2 = require('kafkajs/src/producer/partitioners/default/murmur2.js') as (key: Buffer) => number;

describe('murmur2', () => {
  // from UtilsTest.testMurmur2 of Apache Kafka's clients
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('of %j is what Java says', (text, hash) => {
    const bytes = Buffer.from(text);
    expect(murmur2(bytes, 0, bytes.length)).toBe(hash);
  });

  it("of any part of any bytes is what kafkajs's own says of the part", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ maxLength: 9 }),
        (before, key, after) => {
          const bytes = Buffer.concat([before, key, after]);
          const hash = murmur2(bytes, before.length, before.length + key.length);
          expect(hash).toBe(kafkajsMurmur2(Buffer.from(key)));
        },
      ),
    );
  });
});

describe('the partition of a key', () => {
  it('is one of those there are, and follows the hash without its sign', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.integer({ min: 1, max: 1000 }), (key, count) => {
        const partition = partitionOfKey(key, 0, key.length, count);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(count);
        expect(BigInt(partition)).toBe(BigInt.asUintN(31, BigInt(murmur2(key, 0, key.length))) % BigInt(count));
      }),
    );
  });

  it('is spread over all of them', () => {
    const used = new Set(
      Array.from({ length: 100 }, (_, i) => {
        const key = Buffer.from(`2782${i}`);
        return partitionOfKey(key, 0, key.length, 3);
      }),
    );
    expect([...used].sort()).toEqual([0, 1, 2]);
  });
});
