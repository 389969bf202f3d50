import { expect, test } from 'vitest';
import { printable, printableJson } from './printable.ts';

test('what drives a terminal, breaks a line or turns text is shown as an escape', () => {
  expect(printable('a\u001b[31mb\r\nc\u009bd\u202egnp\u2028e')).toBe(
    'a\\u001b[31mb\\u000d\\u000ac\\u009bd\\u202egnp\\u2028e',
  );
});

test('letters of every language stay as they are; half of a character does not', () => {
  expect(printable('čárka 日本 العربية 🙂')).toBe('čárka 日本 العربية 🙂');
  expect(printable('a\ud83d')).toBe('a\ufffd');
});

test('what is long is cut', () => {
  expect(printable('x'.repeat(600))).toBe(`${'x'.repeat(500)}…`);
  expect(printable('abc', 2)).toBe('ab…');
});

test('in JSON every string and key is treated so, lines and tabs stay', () => {
  expect(printableJson({ 'k\u001b': ['a\n\tb\u001b', 1, null, true, { c: 'd\u202e' }] })).toEqual({
    'k\\u001b': ['a\n\tb\\u001b', 1, null, true, { c: 'd\\u202e' }],
  });
});
