import { expect, test } from 'vitest';
import { escapeBeyondJson, escapeForTerminal, hideUrlCredentials } from './log-line.ts';

test.each([
  ['redis://:secret@host:6379/1', 'redis://***@host:6379/1'],
  ['"url":"sftp://u:p@h" and rediss://a@b', '"url":"sftp://***@h" and rediss://***@b'],
  ['http://host/path?mail=a@b', 'http://host/path?mail=a@b'],
  ['redis://u:p@ss@host/0, redis://v:q@h', 'redis://***@host/0, redis://***@h'],
  ['nothing@all and 12:34', 'nothing@all and 12:34'],
])('credentials in %s', (line, expected) => {
  expect(hideUrlCredentials(line)).toBe(expected);
});

test('a JSON line stays one line for everybody, and says the same', () => {
  const value = { file: 'a\u2028b\u2029c\u0085d\u009b31m\x7f\u202ee\n\u00a0é' };
  const line = escapeBeyondJson(`${JSON.stringify(value)}\n`);
  expect(line).toBe('{"file":"a\\u2028b\\u2029c\\u0085d\\u009b31m\\u007f\\u202ee\\n\u00a0é"}\n');
  expect(JSON.parse(line)).toEqual(value);
});

test('what looks like an escape already is not turned into a control character', () => {
  const line = JSON.stringify({ file: 'literal \\u001b[2J and real \u001b[2J' });
  const shown = JSON.parse(escapeForTerminal(line)) as { file: string };
  expect(shown.file).toBe('literal \\u001b[2J and real \\u001b[2J');
});

test('a stack keeps its line breaks, and nothing else does', () => {
  const line = JSON.stringify({ err: { stack: 'Error: x\n  at \u001by', message: 'x\ny' }, names: ['a\nb'], n: null });
  expect(JSON.parse(escapeForTerminal(line))).toEqual({
    err: { stack: 'Error: x\n  at \\u001by', message: 'x\\u000ay' },
    names: ['a\\u000ab'],
    n: null,
  });
});

test('a line that is not JSON is escaped whole', () => {
  expect(escapeForTerminal('plain \u001b[31m\n')).toBe('plain \\u001b[31m\n');
});
