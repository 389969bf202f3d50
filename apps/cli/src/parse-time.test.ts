import { expect, test } from 'vitest';
import { parseTime, timeOfName } from './parse-time.ts';

const NOW = Date.parse('2024-12-07T12:00:00Z');
const iso = (text: string): string | undefined => {
  const ms = parseTime(text, NOW);
  return ms === undefined ? undefined : new Date(ms).toISOString();
};

test.each([
  ['2024-12-07', '2024-12-07T00:00:00.000Z'],
  ['20241207', '2024-12-07T00:00:00.000Z'],
  ['2024-12-07T15:00', '2024-12-07T15:00:00.000Z'],
  ['2024-12-07 15:00:30', '2024-12-07T15:00:30.000Z'],
  ['2024-12-07T15:00:00Z', '2024-12-07T15:00:00.000Z'],
  ['2024-12-07T15:00:00+02:00', '2024-12-07T13:00:00.000Z'],
  ['2024-12-07T15:00:00+0200', '2024-12-07T13:00:00.000Z'],
  ['20241207_150000', '2024-12-07T15:00:00.000Z'],
  ['90m', '2024-12-07T10:30:00.000Z'],
  ['3d', '2024-12-04T12:00:00.000Z'],
])('%s is a time', (text, expected) => {
  expect(iso(text)).toBe(expected);
});

test.each(['', 'yesterday', '2024-13-01', '2024-02-31', '07.12.2024', '2024-12-07T25:00', '5w'])(
  '%s is none',
  (text) => {
    expect(iso(text)).toBeUndefined();
  },
);

test('names carry their time in digits', () => {
  expect(timeOfName('20241207150000')).toBe(Date.parse('2024-12-07T15:00:00Z'));
  expect(timeOfName('')).toBeUndefined();
  expect(timeOfName('20249907150000')).toBeUndefined();
});
