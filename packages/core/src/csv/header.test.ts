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
    ['UTF-16', Buffer.from('\ufeffmsisdn,tower_id\n', 'utf16le'), 'is not UTF-8 but looks like UTF-16'],
    ['gzip', gzipSync('msisdn,tower_id\n'), 'is not UTF-8 but looks like gzip'],
    ['rubbish with quotes', Buffer.from('\x80"\xff\n', 'latin1'), 'is not UTF-8;'],
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

  it('is shown where it looks like names of columns, whatever separates them', () => {
    expect(errorOf('MSISDN;"tower id";call-type;Größe\n').message).toMatch(/found: MSISDN,tower id,call-type,Größe$/);
    expect(errorOf(`a,,${'x'.repeat(31)}\n`).message).toMatch(/found: a,,<31 characters>$/);
    expect(errorOf(`${'column,'.repeat(1000)}\n`).message).toMatch(/found: (column,){39}column\.\.\.$/);
  });

  it.each<[string, string | Buffer]>([
    ['control characters', '\x1b[31m,\u202e,\x00,a\x85b\n'],
    ['bytes that are not UTF-8', Buffer.from('m\xff\xfe,\x9b31m\n', 'latin1')],
    ['a lone line end in it', 'a\rb,c\u2028d\n'],
  ])('drives no terminal with %s', (_, file) => {
    expect(errorOf(file).message).not.toMatch(/[\p{C}\p{Zl}\p{Zp}\ufffd]/u);
  });

  it('puts nothing of a subscriber into the error when a row is in its place', () => {
    const row = '27821234567,1523,video,41.202.45.12,https://example.com/p?u=me,2024-01-01 10:15:30';
    expect(errorOf(`${row}\n`).message).toMatch(/found: (<\d+ characters>,){2}video,(<\d+ characters>,?){3}$/);
    expect(errorOf(Buffer.from(`${row},\xff\n`, 'latin1')).message).not.toMatch(/2782|1523|41\.|example|2024/);
    expect(errorOf(`${row},"\n`).message).not.toMatch(/2782|1523|41\.|example|2024/);
    expect(errorOf(`${row},${'x'.repeat(200)}\n`, { maxLineBytes: 100 }).message).not.toMatch(/2782|41\.|example/);
  });

  it.each([
    '+27821234567',
    '27 82 123 4567',
    '(0)82-123-4567',
    'tel:0821234567',
    'tel 0821234567',
    'a2b7c8d2e1f2',
    '27821234567;x',
    '"27821234567"',
    '27821234567\tx',
    '٢٧٨٢١٢٣٤٥٦٧',
    'x٢٧٨٢١٢٣٤٥٦٧',
    '27,821234567',
  ])('shows no digits of a number that is written as %s', (number) => {
    const { message } = errorOf(`${number},tower\n`);
    expect(message.replace(/^.*; found: /, '').replace(/<\d+ characters>/g, '')).not.toMatch(/\p{N}/u);
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
