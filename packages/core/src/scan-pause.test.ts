import { expect, it } from 'vitest';
import { scanPauseMs } from './scan-pause.ts';

it.each([
  ['a small directory', { tookMs: 40, entries: 500 }, 5_000],
  ['a small directory, held up by a service for half a minute', { tookMs: 30_000, entries: 500 }, 5_000],
  ['a huge one', { tookMs: 1_500, entries: 100_000 }, 15_000],
  ['a huge one on a slow server', { tookMs: 9_000, entries: 100_000 }, 90_000],
  ['a huge one, held up', { tookMs: 60_000, entries: 100_000 }, 100_000],
  ['an empty one', { tookMs: 3_000, entries: 0 }, 5_000],
])('%s', (_, scan, pauseMs) => {
  expect(scanPauseMs({ ...scan, intervalMs: 5_000 })).toBe(pauseMs);
});
