import { expect, test } from 'vitest';
import { EXTRAS, OptionError, parseOptions } from './options.ts';

test('without options: the sets and everything beside them', () => {
  expect(parseOptions([])).toEqual({
    sets: ['S', 'SS', 'M', 'L'],
    extras: [...EXTRAS],
    rounds: 3,
    reference: true,
    scanFiles: 100_000,
    slots: 4,
    shrink: 1,
    profile: false,
    jsonFile: undefined,
    keep: true,
  });
});

test('what is asked for, with the "--" that pnpm hands on', () => {
  const args = ['--', '--sets', 's,XL', '--extras', 'none', '--no-reference', '--cpu-prof', '--json', 'a.json'];
  expect(parseOptions(args)).toMatchObject({
    sets: ['S', 'XL'],
    extras: [],
    reference: false,
    profile: true,
    jsonFile: 'a.json',
  });
  expect(parseOptions(['--help'])).toBe('help');
});

test.each([[['--sets', 'S,Q']], [['--rounds', '0']], [['--rounds', 'x']], [['--fast']], [['S']]])(
  '%j is refused',
  (args) => {
    expect(() => parseOptions(args)).toThrow(OptionError);
  },
);
