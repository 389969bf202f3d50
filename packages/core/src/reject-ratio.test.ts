import { expect, it } from 'vitest';
import { tooManyRejects } from './reject-ratio.ts';

it.each([
  [0, 0, 0.5, false],
  [1, 1, 0.5, false],
  [99, 99, 0, false],
  [100, 50, 0.5, false],
  [100, 51, 0.5, true],
  [1_000, 501, 0.5, true],
  [1_000, 1_000, 1, false],
  [100, 1, 0, true],
  [100, 0, 0, false],
])('of %i rows, %i rejects, where a share of %d is allowed, are too many: %s', (rows, rejects, maxRatio, expected) => {
  expect(tooManyRejects(rows, rejects, maxRatio)).toBe(expected);
});
