import { expect, test } from 'vitest';
import { compressorFor, COMPRESSIONS, decompress } from './compression.ts';

test.each(COMPRESSIONS)('%s comes back as it was', (compression) => {
  const records = Buffer.from('+27821234567,1523,'.repeat(1_000));
  const { codec, compress } = compressorFor(compression);
  const compressed = compress(records);
  expect(decompress(codec, compressed).equals(records)).toBe(true);
  if (compression !== 'none') expect(compressed.length).toBeLessThan(records.length / 10);
});

test('a codec that nobody here writes is refused', () => {
  expect(() => decompress(2, Buffer.alloc(0))).toThrow('codec 2');
});
