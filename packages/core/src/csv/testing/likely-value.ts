import fc from 'fast-check';

import type { FieldCheck } from '../field-checks.ts';

const digits = (min: number, max: number) =>
  fc.array(fc.constantFrom(...'0123456789'), { minLength: min, maxLength: max }).map((each) => each.join(''));
const padded = (min: number, max: number, length = 2) =>
  fc.integer({ min, max }).map((value) => value.toString().padStart(length, '0'));
/** Mostly the first of them. */
const mostly = (...texts: readonly string[]) =>
  fc.integer({ min: 0, max: 19 }).map((dice) => (dice < texts.length ? (texts[dice] ?? '') : (texts[0] ?? '')));

const dateTime = fc
  .tuple(
    fc.oneof(padded(1990, 2030, 4), padded(0, 9999, 4), fc.constantFrom('1900', '2000', '2100', '2024', '0000')),
    mostly('-', '/', ''),
    padded(0, 13),
    mostly('-', '.'),
    fc.oneof(padded(0, 32), padded(28, 31)),
    mostly(' ', 'T', 't', '  ', ''),
    fc.oneof({ weight: 9, arbitrary: padded(0, 23) }, { weight: 1, arbitrary: padded(0, 99) }),
    mostly(':', '.', ''),
    fc.oneof({ weight: 9, arbitrary: padded(0, 59) }, { weight: 1, arbitrary: padded(58, 61) }),
    mostly(':', ''),
    fc.oneof({ weight: 9, arbitrary: padded(0, 59) }, { weight: 1, arbitrary: padded(58, 61) }),
    fc.oneof(
      fc.constant(''),
      digits(0, 11).map((fraction) => `.${fraction}`),
    ),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant('') },
      {
        weight: 1,
        arbitrary: fc.constantFrom('Z', 'z', '+', '-', '+02', '+2', '-0330', '+02:00', '+02:', ' Z', '+02:0'),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(fc.constantFrom('+', '-'), padded(0, 25), padded(0, 61)).map((parts) => parts.join('')),
      },
    ),
  )
  .map((parts) => parts.join(''));

const VALUES: Readonly<Record<Extract<FieldCheck, string>, fc.Arbitrary<string>>> = {
  msisdn: fc.tuple(mostly('+', '', '++', '0'), digits(3, 22)).map((parts) => parts.join('')),
  integer: fc.oneof(digits(0, 20), digits(1, 3)),
  'date-time': dateTime,
};
const anything = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '-1',
    '1.0',
    '٣',
    '１',
    'é',
    'video',
    'Video',
    '"',
    '\\',
    ',',
    '\n',
    '\x00',
    '\ufeff1',
    '1e3',
    'NaN',
  ),
  fc.string({ maxLength: 8 }),
);

/** Values that a check should often let pass and often not, most of them by one character. */
export function likelyValue(check: FieldCheck | undefined): fc.Arbitrary<string> {
  if (check === undefined) return anything;
  const good = typeof check === 'string' ? VALUES[check] : fc.constantFrom(...check.known);
  const damaged = fc
    .tuple(good, fc.nat(), fc.nat({ max: 1 }), fc.constantFrom(' ', '+', '-', '9', 'a', '/', ':', '\r', '\u0660'))
    .map(([text, at, cut, character]) => {
      const index = at % (text.length + 1);
      return text.slice(0, index) + character + text.slice(index + cut);
    });
  return fc.oneof(
    { weight: 8, arbitrary: good },
    { weight: 1, arbitrary: damaged },
    { weight: 1, arbitrary: anything },
  );
}
