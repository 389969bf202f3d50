import { rejectMessage } from '@cdr/core/rejects';
import { expect, test } from 'vitest';
import { parseReject, rejectsAsCsv } from './shown-reject.ts';

const row = { line: 7, code: 'bad-quote', reason: 'a "quote"', raw: Buffer.from('a,"b') } as const;

test('reads what core writes, and shows what it does not', () => {
  const value = Buffer.from(rejectMessage('a.csv', row));
  expect(parseReject(value)).toEqual({ line: 7, code: 'bad-quote', reason: 'a "quote"', raw: 'a,"b' });
  const latin1 = Buffer.from(rejectMessage('a.csv', { ...row, raw: Buffer.from([0xe9]) }));
  expect(parseReject(latin1)).toMatchObject({ raw_base64: '6Q==' });
  expect(parseReject(Buffer.from('hello'))).toMatchObject({ line: 0, raw: 'hello' });
  expect(parseReject(null)).toMatchObject({ raw: '' });
});

test('every cell of an export is quoted', () => {
  const rejects = [parseReject(Buffer.from(rejectMessage('a.csv', row)))];
  expect(rejectsAsCsv(rejects)).toBe(
    '"line","code","reason","raw","raw_base64"\r\n"7","bad-quote","a ""quote""","a,""b",""\r\n',
  );
});
