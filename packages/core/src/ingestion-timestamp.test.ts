import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ingestionTimestamp } from './ingestion-timestamp.ts';

describe('the time of ingestion', () => {
  it.each([
    [Date.UTC(2024, 11, 7, 15, 23, 45, 123), '2024-12-07T15:23:45.123000'],
    [Date.UTC(2024, 11, 7, 15, 23, 45, 123) + 0.5, '2024-12-07T15:23:45.123500'],
    [Date.UTC(2024, 11, 7, 15, 23, 45, 123) + 0.0625, '2024-12-07T15:23:45.123062'],
    [Date.UTC(2024, 11, 7, 15, 23, 45, 999) + 0.9998, '2024-12-07T15:23:45.999999'],
    [Date.UTC(2025, 0, 1), '2025-01-01T00:00:00.000000'],
    [Date.UTC(2024, 1, 29, 23, 59, 59, 9) + 0.015625, '2024-02-29T23:59:59.009015'],
    [0, '1970-01-01T00:00:00.000000'],
  ])('%d is %s', (epochMs, text) => {
    expect(ingestionTimestamp(epochMs)).toBe(text);
  });

  it('is UTC without a zone, to the microsecond, and never runs ahead or back', () => {
    const time = fc.double({ min: 0, max: Date.UTC(2100, 0), noNaN: true });
    fc.assert(
      fc.property(time, fc.double({ min: 0, max: 10, noNaN: true }), (epochMs, laterMs) => {
        const text = ingestionTimestamp(epochMs);
        expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
        expect(Date.parse(`${text.slice(0, 23)}Z`)).toBe(Math.floor(epochMs));
        expect(ingestionTimestamp(epochMs + laterMs) >= text).toBe(true);
      }),
    );
  });
});
