import { expect, test } from 'vitest';
import { spreadOf } from './statistics.ts';

test('the median of odd and even numbers of rounds, whatever their order', () => {
  expect(spreadOf([3])).toEqual({ median: 3, min: 3, max: 3 });
  expect(spreadOf([10, 1, 2])).toEqual({ median: 2, min: 1, max: 10 });
  expect(spreadOf([4, 1, 2, 100])).toEqual({ median: 3, min: 1, max: 100 });
});

test('nothing measured is an error, not a zero', () => {
  expect(() => spreadOf([])).toThrow(RangeError);
});
