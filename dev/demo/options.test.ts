import { expect, test } from 'vitest';
import { OptionError, parseOptions } from './options.ts';

test('the defaults, and each option', () => {
  expect(parseOptions([])).toEqual({ files: 120, rows: 1_000, workers: 2, seed: 1, keep: false });
  expect(parseOptions(['--', '--files', '3', '--rows=7', '--workers', '1', '--seed', '0', '--keep'])).toEqual({
    files: 3,
    rows: 7,
    workers: 1,
    seed: 0,
    keep: true,
  });
  expect(parseOptions(['--files', '3', '--help'])).toBe('help');
});

test.each([
  [['--fils', '3'], 'there is no option --fils (see --help)'],
  [['3'], '"3" is no option of the demo (see --help)'],
  [['--files'], '--files takes a whole number from 1 to 20000, nothing is given'],
  [['--files', '0'], '--files takes a whole number from 1 to 20000, not "0"'],
  [['--rows', '1e3'], '--rows takes a whole number from 1 to 200000, not "1e3"'],
])('%j is refused in one line', (args, message) => {
  expect(() => parseOptions(args)).toThrow(new OptionError(message));
});
