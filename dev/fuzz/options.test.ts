import { expect, test } from 'vitest';
import { OptionError, parseOptions } from './options.ts';

test('the defaults, and each option', () => {
  expect(parseOptions([])).toEqual({ minutes: 5, seed: 1, round: undefined, files: 400 });
  expect(parseOptions(['--', '--minutes', '0.5', '--seed=7', '--round', '3', '--files', '20'])).toEqual({
    minutes: 0.5,
    seed: 7,
    round: 3,
    files: 20,
  });
  expect(parseOptions(['--files', '3', '--help'])).toBe('help');
});

test.each([['--minute', '3'], ['--seed', '1.5'], ['--minutes', ''], ['--files', '0'], ['5']])(
  '%s %s is refused',
  (...args) => {
    expect(() => parseOptions(args)).toThrow(OptionError);
  },
);
