import { expect, test } from 'vitest';
import { identityOf, isRegularFile, toRemoteEntry } from './remote-entry.ts';

test.each([
  [0o100644, undefined, true],
  [0o040755, undefined, false],
  [0o120777, '-rwxrwxrwx', false],
  [0o140777, undefined, false],
  [0o010644, undefined, false],
  [0o644, '-rw-r--r-- 1 a b 3 Dec 7 a.csv', true],
  [0o755, 'drwxr-xr-x 1 a b 3 Dec 7 dir', false],
  [undefined, '-rw-r--r-- 1 a b 3 Dec 7 a.csv', true],
  [undefined, 'lrwxrwxrwx 1 a b 3 Dec 7 link', false],
  [undefined, undefined, false],
])('mode %o with the long name %s: regular is %s', (mode, longname, expected) => {
  expect(isRegularFile(mode, longname)).toBe(expected);
});

test('times are milliseconds', () => {
  expect(identityOf('a.csv', { size: 5, mtime: 1_733_577_600 })).toEqual({ size: 5, mtimeMs: 1_733_577_600_000 });
});

test('a regular file without size or time is an error, of another kind it does not matter', () => {
  expect(() => toRemoteEntry('a.csv', { mode: 0o100644, size: 5 })).toThrow(/no size or no time of a\.csv/);
  expect(() => toRemoteEntry('a.csv', { mode: 0o100644, mtime: 5 })).toThrow();
  expect(toRemoteEntry('dir', { mode: 0o040755 })).toEqual({ name: 'dir', size: 0, mtimeMs: 0, isRegularFile: false });
});
