import { expect, test } from 'vitest';
import { duration, plural, time } from './words.ts';

test.each([
  [0, '0 s'],
  [999, '0 s'],
  [61_000, '1 min 1 s'],
  [3_600_000, '1 h'],
  [3_605_000, '1 h'],
  [273_600_000, '3 d 4 h'],
])('%i ms are %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test('nouns and times', () => {
  expect([plural(1, 'file'), plural(2000, 'file')]).toEqual(['1 file', '2,000 files']);
  expect(time('2024-12-07T15:23:45.123Z')).toBe('2024-12-07 15:23:45Z');
  expect(time('')).toBe('');
});
