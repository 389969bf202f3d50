import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';

import { CdrError } from '../errors.ts';
import { transformFile } from './testing/transform-file.ts';

const rules = { requiredColumns: ['msisdn', 'tower_id'], keyColumn: 'msisdn', sourceFile: 'cdr_data_1.csv' };

function transform(file: string | Buffer, options = {}) {
  return transformFile(Buffer.from(file), { ...rules, ...options });
}

function errorOf(file: string | Buffer, options = {}): CdrError {
  try {
    transform(file, options);
  } catch (error) {
    if (error instanceof CdrError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('a good header', () => {
  it.each([
    ['in another order, with more columns', 'x,tower_id,msisdn,,y\n1,2,3,4,5\n', '3'],
    ['quoted', '"tower_id","msisdn"\r\n1,3\r\n', '3'],
    ['with a line end in a name', '"x\n",msisdn,tower_id\n1,3,2\n', '3'],
    ['behind a BOM', '\ufeffmsisdn,tower_id\n3,2\n', '3'],
    ['behind a BOM and blank lines', '\ufeff\n\r\nmsisdn,tower_id\n3,2\n', '3'],
    ['quoted behind a BOM', '\ufeff"msisdn",tower_id\n3,2\n', '3'],
    ['with __proto__ and a name that JSON escapes', 'msisdn,tower_id,__proto__,\\\t\n3,2,1,0\n', '3'],
  ])('%s', (_, file, key) => {
    for (const chunkSizes of [[1], [1000]]) {
      const { messages, rejects } = transform(file, { chunkSizes });
      expect(messages.map((message) => message.key)).toEqual([key]);
      expect(rejects).toEqual([]);
    }
  });

  it.each(['', '\ufeff', '\n', '\r\n\n\r', '\ufeff\n', 'msisdn,tower_id', 'msisdn,tower_id\r', 'msisdn,tower_id\n\n'])(
    'and no row, or no header and no row: %j',
    (file) => {
      for (const chunkSizes of [[1], [1000]]) {
        const { rows, byteOffset } = transform(file, { chunkSizes });
        expect({ rows, byteOffset }).toEqual({ rows: 0, byteOffset: Buffer.byteLength(file) });
      }
    },
  );
});

describe('a bad header', () => {
  it.each<[string, string | Buffer, string]>([
    ['a column is missing', 'msisdn,x\n1,2\n', 'lacks tower_id'],
    ['without line end', 'msisdn', 'lacks tower_id'],
    ['names differ in case or spaces', 'MSISDN, tower_id\n', 'lacks msisdn, tower_id'],
    ['another separator', 'msisdn;tower_id\n', 'lacks msisdn, tower_id'],
    ['a name twice', 'msisdn,tower_id,x,x\n', 'names a column twice (column 4)'],
    ['a name of ours', 'msisdn,tower_id,_record_type\n', 'has a column _record_type'],
    ['not UTF-8', Buffer.from('msisdn,tower_id,\xe9\n', 'latin1'), 'is not UTF-8'],
    ['UTF-16', Buffer.from('\ufeffmsisdn,tower_id\n', 'utf16le'), 'is not UTF-8'],
    ['text after a quote', '"msisdn"x,tower_id\n', 'is not CSV'],
    ['a quote that nobody closes', 'msisdn,"tower_id\n1,2\n', 'is not CSV'],
  ])('%s', (_, file, problem) => {
    for (const chunkSizes of [[1], [1000]]) {
      const error = errorOf(file, { chunkSizes });
      expect(error.code).toBe('bad-header');
      expect(error.message).toContain(`The CSV header of cdr_data_1.csv ${problem}`);
      expect(error.message).toContain('expected: msisdn,tower_id; found: ');
      expect(error.hint).toContain('Upload the file again');
    }
  });

  it.each([100, 10_000])('is longer than the longest line: %d bytes', (length) => {
    for (const chunkSizes of [[100], [100_000]]) {
      const error = errorOf(`msisdn,tower_id,${'x'.repeat(length)}`, { chunkSizes, maxLineBytes: 100 });
      expect(error.code).toBe('bad-header');
      expect(error.message).toContain('is longer than 100 bytes');
    }
  });

  it('is shown in part, with what cannot be printed escaped', () => {
    expect(errorOf(`\x1b[31mé\u202e\x00${'x'.repeat(1000)}\n`).message).toMatch(
      /found: \\x1b\[31mé\\u\{202e\}\\x00x{250,300}\.\.\.$/,
    );
    expect(errorOf(Buffer.from('m\xff\xfe\n', 'latin1')).message).toContain('found: m\\xff\\xfe');
  });

  it('does not put a subscriber number into the error when a row is in its place', () => {
    const { message } = errorOf('27821234567,T1,12\n');
    expect(message).toContain('found: ###########,T1,12');
  });

  it('asks for the key column even if nobody else does', () => {
    expect(errorOf('a,b\n', { requiredColumns: ['a'] }).message).toContain('lacks msisdn; expected: a,msisdn;');
  });
});

describe('gzip data in place of a header', () => {
  it.each([
    ['without a line end', 'msisdn,tower_id\n1,2\n'],
    ['of many lines', Array.from({ length: 2_000 }, (_, i) => `${i * 7_919}`).join('\n')],
  ])('%s: the hint says what to do', (_, content) => {
    for (const chunkSizes of [[1], [1_000]]) {
      const { code, hint } = errorOf(gzipSync(content), { chunkSizes });
      expect({ code, hint }).toEqual({
        code: 'bad-header',
        hint: expect.stringMatching(/^This is gzip data\. .* ends with \.csv\.gz/) as string,
      });
    }
  });
});
