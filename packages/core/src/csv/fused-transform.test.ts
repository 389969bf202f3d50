import { describe, expect, it } from 'vitest';

import { REJECT_RAW_MAX_BYTES } from '../rejects.ts';
import { createCsvTransform } from './fused-transform.ts';
import { transformFile } from './testing/transform-file.ts';

const HEADER = 'a,b,c\n';
const bytes = (text: string) => Buffer.from(text, 'latin1');

function fieldsOf(file: string | Buffer, maxLineBytes?: number) {
  const { messages } = transformFile(Buffer.from(file), maxLineBytes === undefined ? {} : { maxLineBytes });
  return messages.map(({ value }) => [value['a'], value['b'], value['c']]);
}

function rejectsOf(file: string | Buffer, maxLineBytes = 1000) {
  return transformFile(Buffer.from(file), { maxLineBytes }).rejects;
}

describe('rows that become messages', () => {
  it.each<[string, string, string[][]]>([
    [
      'plain',
      '1,2,3\n4,5,6\n',
      [
        ['1', '2', '3'],
        ['4', '5', '6'],
      ],
    ],
    [
      'no final line end',
      '1,2,3\n4,5,6',
      [
        ['1', '2', '3'],
        ['4', '5', '6'],
      ],
    ],
    [
      'CRLF',
      '1,2,3\r\n4,5,6\r\n',
      [
        ['1', '2', '3'],
        ['4', '5', '6'],
      ],
    ],
    [
      'LF and CRLF mixed',
      '1,2,3\r\n4,5,6\n',
      [
        ['1', '2', '3'],
        ['4', '5', '6'],
      ],
    ],
    ['a CRLF cut in half at the end of the file', '1,2,3\r', [['1', '2', '3']]],
    ['the same behind a quote', '1,2,"3"\r', [['1', '2', '3']]],
    ['quoted comma', '1,"2,x",3\n', [['1', '2,x', '3']]],
    ['doubled quote', '1,"2""x",3\n', [['1', '2"x', '3']]],
    [
      'quoted LF',
      '1,"2\nx",3\n4,5,6\n',
      [
        ['1', '2\nx', '3'],
        ['4', '5', '6'],
      ],
    ],
    ['quoted CRLF', '1,"2\r\nx",3\n', [['1', '2\r\nx', '3']]],
    ['quoted line end at the end of the file', '1,2,"3\n"', [['1', '2', '3\n']]],
    [
      'empty fields',
      ',,\n1,,3\n',
      [
        ['', '', ''],
        ['1', '', '3'],
      ],
    ],
    ['quoted empty fields', '"","",""\n', [['', '', '']]],
    [
      'blank lines',
      '\n1,2,3\n\n\r\n4,5,6\n\r\n',
      [
        ['1', '2', '3'],
        ['4', '5', '6'],
      ],
    ],
    ['spaces are content', ' 1 , 2,3 \n', [[' 1 ', ' 2', '3 ']]],
    ['a lone CR is content', '1\r,\r2,3\r4\n', [['1\r', '\r2', '3\r4']]],
    ['CR CR LF', '1,2,3\r\r\n', [['1', '2', '3\r']]],
    ['backslash, tab, NUL, DEL', 'a\\b,x\ty,\x00\x1f\x7f\n', [['a\\b', 'x\ty', '\x00\x1f\x7f']]],
    ['UTF-8', 'é€😀,\u2028,\ufeff\n', [['é€😀', '\u2028', '\ufeff']]],
    ['UTF-8 in quotes', '"é€😀","\u2028","\\,\x01"\n', [['é€😀', '\u2028', '\\,\x01']]],
    ['what looks like JSON', '{,},\\u0041\n', [['{', '}', '\\u0041']]],
  ])('%s', (_, rows, expected) => {
    expect(fieldsOf(HEADER + rows)).toEqual(expected);
    expect(transformFile(Buffer.from(HEADER + rows), { chunkSizes: [1] }).rejects).toEqual([]);
  });

  it('carry all columns in the order of the file, and three fields of ours', () => {
    const file = Buffer.from('x,"k""1",é,a\n1,2,3,4\n');
    const { messages } = transformFile(file, { sourceFile: 'q"\\.csv', recordType: 'voice', timestamp: () => 'now' });
    const value = { _source_file: 'q"\\.csv', _ingestion_timestamp: 'now', _record_type: 'voice' };
    expect(messages).toEqual([{ key: '4', value: { ...value, x: '1', 'k"1': '2', é: '3', a: '4' } }]);
    expect(Object.keys(messages[0]?.value ?? {}).slice(3)).toEqual(['x', 'k"1', 'é', 'a']);
  });

  it.each(['a', 'b', 'c'])('have the raw value of column %s as key, escaped or quoted as it may be', (keyColumn) => {
    const keys = ['27821234567', '', 'é', '\\', 'x\ty', '"', 'p,q', 'x'.repeat(100_000)];
    const rows = keys.map((key) => {
      const field = /[",]/.test(key) ? `"${key.replaceAll('"', '""')}"` : key;
      return ['a', 'b', 'c'].map((column) => (column === keyColumn ? field : '\x01')).join(',');
    });
    const { messages } = transformFile(Buffer.from(HEADER + rows.join('\n')), { keyColumn });
    expect(messages.map(({ key }) => key)).toEqual(keys);
  });

  it('can be of one column', () => {
    const { messages, rejects } = transformFile(Buffer.from('a\n1\n\n"2"\n""\n3,4\n'));
    expect(messages.map(({ key }) => key)).toEqual(['1', '2', '']);
    expect(rejects.map(({ line, code }) => [line, code])).toEqual([[6, 'too-many-fields']]);
  });

  it('come in more than one block when they are many, and fit when they are large', () => {
    const large = '\x01'.repeat(300_000);
    const rows = Array.from({ length: 10_000 }, (_, i) => `${i},,${i % 3000 === 2999 ? large : ''}`);
    const fields = fieldsOf(HEADER + rows.join('\n'));
    expect(fields.map((row) => row.join(','))).toEqual(rows);
  });

  it('carry the time of their push, which is asked for once per call', () => {
    const run = transformFile(Buffer.from('a,b\n1,2\n3,4\n"5",6\n'), { chunkSizes: [6] });
    expect(run.messages.map(({ value }) => value['_ingestion_timestamp'])).toEqual(['t2', 't2', 't3']);
    expect(run.timestamps).toBe(run.calls);
  });
});

describe('rows that become rejects', () => {
  it.each<[string, string, number, string, string, string]>([
    ['too few fields', '1,2\n', 2, 'too-few-fields', '2 fields, 3 expected', '1,2'],
    ['too many fields', '\n1,2,3,4,5\r\n', 3, 'too-many-fields', '5 fields, 3 expected', '1,2,3,4,5'],
    ['too few with quotes', '1,"2\n"\n', 2, 'too-few-fields', '2 fields, 3 expected', '1,"2\n"'],
    ['too many with quotes', '1,2,3,"4"\n', 2, 'too-many-fields', '4 fields, 3 expected', '1,2,3,"4"'],
    ['only a CR in a line', '\r\r\n', 2, 'too-few-fields', '1 fields, 3 expected', '\r'],
    ['not UTF-8', '1,\xff,3\n', 2, 'bad-utf8', 'bytes that are not UTF-8', '1,\xff,3'],
    ['not UTF-8 in quotes', '1,"\n\xff",3\n', 2, 'bad-utf8', 'bytes that are not UTF-8', '1,"\n\xff",3'],
    ['a cut character', '1,2,\xe2\x82\n', 2, 'bad-utf8', 'bytes that are not UTF-8', '1,2,\xe2\x82'],
    ['UTF-8 counts more than fields', '1,\xff\n', 2, 'bad-utf8', 'bytes that are not UTF-8', '1,\xff'],
    ['quotes count more than UTF-8', '1,\xff"\n', 2, 'bad-quote', 'quote inside an unquoted field', '1,\xff"'],
    ['bare quote', '1,2"x,3\n', 2, 'bad-quote', 'quote inside an unquoted field', '1,2"x,3'],
    ['text after a quote', '1,"2"x,3\n', 2, 'bad-quote', 'text after a closing quote', '1,"2"x,3'],
    ['NUL after a quote', '1,"2"\0,3\n', 2, 'bad-quote', 'text after a closing quote', '1,"2"\0,3'],
    ['a space before a quote', '1, "2",3\n', 2, 'bad-quote', 'quote inside an unquoted field', '1, "2",3'],
    ['quote not closed', '1,2,"3', 2, 'bad-quote', 'quote not closed before the end of the file', '1,2,"3'],
  ])('%s', (_, rows, line, code, reason, raw) => {
    expect(rejectsOf(bytes(HEADER + rows))).toEqual([{ line, code, reason, raw }]);
  });

  it('take only their first line along when a quote is not closed', () => {
    const file = Buffer.from(`${HEADER}1,2,3\n4,"5,6\n7,8,9\n"x\ny",2,3\n`);
    const { messages, rejects, rows } = transformFile(file);
    expect(messages.map(({ key }) => key)).toEqual(['1', '7', 'x\ny']);
    expect(rejects.map(({ line, code, raw }) => [line, code, raw])).toEqual([[3, 'bad-quote', '4,"5,6']]);
    expect(rows).toBe(4);
  });

  it('do not spoil their neighbours when they are not UTF-8', () => {
    const { messages, rejects } = transformFile(bytes('a,b\n1,2\n\xff,4\n"5",6\n7,8\n'));
    expect(messages.map(({ key }) => key)).toEqual(['1', '5', '7']);
    expect(rejects.map(({ line }) => line)).toEqual([3]);
  });

  it('never show their content in the reason', () => {
    const rejects = rejectsOf(`${HEADER}27821234567\n"27821234567"x\n27821234567"\n,,,27821234567\n"27821234567`, 20);
    expect(rejects.length).toBe(5);
    expect(JSON.stringify(rejects.map(({ reason }) => reason))).not.toContain('2782');
  });
});

describe('long lines', () => {
  const limit = 10;
  it.each<[string, string, number, string | undefined]>([
    ['at the limit', '1234,678,0\n', limit, undefined],
    ['at the limit with CRLF', '1234,678,0\r\n', limit, undefined],
    ['at the limit without line end', '1234,678,0', limit, undefined],
    ['one more', '1234,678,01\n', limit, 'line-too-long'],
    ['one more, a CR', '1234,678,0\r\r\n', limit, 'line-too-long'],
    ['one more, with a quote', '1234,678,"\n', limit - 1, 'line-too-long'],
    ['a record at the limit', '1,"3\n56",9\n', limit, undefined],
    ['a record one longer', '1,"3\n567",9\n', limit, 'bad-quote'],
  ])('%s', (_, row, maxLineBytes, code) => {
    for (const chunkSizes of [[1], [1000]]) {
      const { rejects } = transformFile(Buffer.from(HEADER + row), { maxLineBytes, chunkSizes });
      expect(rejects[0]?.code).toBe(code);
    }
  });

  it.each(['x'.repeat(8996), `"${'x'.repeat(8994)}"`, `"${'x\n'.repeat(4497)}"`])(
    'at a limit beyond what a reject shows are told from longer ones in chunks of one byte',
    { timeout: 30_000 },
    (field) => {
      for (const end of ['\n', '\r\n', '\r', '']) {
        const options = { maxLineBytes: 9000, chunkSizes: [1] };
        expect(transformFile(Buffer.from(`${HEADER}1,2,${field}${end}`), options).rejects).toEqual([]);
        expect(transformFile(Buffer.from(`${HEADER}12,2,${field}${end}`), options).rows).toBeGreaterThan(0);
        expect(transformFile(Buffer.from(`${HEADER}12,2,${field}${end}`), options).messages).toEqual([]);
      }
    },
  );

  it.each([REJECT_RAW_MAX_BYTES - 1, REJECT_RAW_MAX_BYTES, REJECT_RAW_MAX_BYTES + 1, 100_000])(
    'of %d bytes are one reject with a bounded piece of the line, whatever the chunks',
    (length) => {
      const long = 'x'.repeat(length);
      for (const end of ['\n', '\r\n', '']) {
        for (const chunkSizes of [[1000], [1_000_000]]) {
          const file = Buffer.from(`${HEADER}1,2,3\n${long}${end}${end && '4,5,6\n'}`);
          const { messages, rejects, byteOffset } = transformFile(file, { maxLineBytes: 50, chunkSizes });
          expect(messages.length).toBe(end ? 2 : 1);
          expect(rejects).toEqual([
            {
              line: 3,
              code: 'line-too-long',
              reason: 'longer than 50 bytes',
              raw: long.slice(0, REJECT_RAW_MAX_BYTES),
            },
          ]);
          expect(byteOffset).toBe(file.length);
        }
      }
    },
  );

  it('with a message that no broker takes are rejects, and their neighbours are not', () => {
    const plain = 'x'.repeat(2000);
    const escaped = '\\'.repeat(1000);
    const quoted = `"${'""'.repeat(1000)}"`;
    const lines = ['a,b', '1,2', `3,${plain}`, '4,5', `6,${escaped}`, `7,${quoted}`, '8,9'];
    const run = transformFile(Buffer.from(`${lines.join('\n')}\n`), { maxMessageBytes: 1500 });
    expect(run.messages.map(({ key }) => key)).toEqual(['1', '4', '8']);
    expect(run.rejects.map(({ line, code }) => `${line} ${code}`)).toEqual([
      '3 line-too-long',
      '5 line-too-long',
      '6 line-too-long',
    ]);
    expect(run.rejects[0]?.reason).toMatch(/^a message of 2\d\d\d bytes, at most 1500 fit$/);
  });

  it('are no row before their end, and are skipped without being kept', () => {
    const transform = createCsvTransform({
      sourceFile: 'cdr.csv',
      recordType: 'data',
      requiredColumns: ['a'],
      keyColumn: 'a',
      maxLineBytes: 100_000,
      maxMessageBytes: 1_000_000,
      timestamp: () => 'now',
      sink: { messages: () => undefined, reject: () => undefined },
    });
    transform.push(Buffer.from('a,b\n1,2\n'), 10);
    const chunk = Buffer.alloc(250_000, 'x');
    const before = process.memoryUsage();
    for (let i = 0; i < 2000; i++) expect(transform.push(chunk, 10)).toBe(false);
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(10_000_000);
    expect([transform.rows, transform.byteOffset, transform.line]).toEqual([1, 8, 3]);
    expect(transform.end(0)).toBe(true);
    expect(transform.rows).toBe(1);
    expect(transform.end(10)).toBe(false);
    expect([transform.rejects, transform.byteOffset, transform.line]).toEqual([1, 8 + 500_000_000, 3]);
  });
});

describe('row budgets', () => {
  it('stop at the boundary behind the last row, and go on from there', () => {
    const file = Buffer.from('a,b\n\n1,2\n\n3\n"4\n",5\n6,7');
    const { checkpoints } = transformFile(file, { budgets: [1] });
    expect(checkpoints).toEqual([
      { byteOffset: 9, line: 4, messages: 1, rejects: 0 },
      { byteOffset: 12, line: 6, messages: 1, rejects: 1 },
      { byteOffset: 19, line: 8, messages: 2, rejects: 1 },
      { byteOffset: 19, line: 8, messages: 2, rejects: 1 },
      { byteOffset: 22, line: 8, messages: 3, rejects: 1 },
    ]);
  });
});

describe('resuming', () => {
  const keysFrom = (file: string, startOffset: number) => {
    const { messages, line, rejects } = transformFile(Buffer.from(file), { startOffset });
    return { keys: messages.map(({ key }) => key), line, rejects: rejects.map((reject) => reject.line) };
  };

  it.each<[string, string, number, string[], number, number[]]>([
    ['behind the header', 'a,b\n1,2\n3\n', 4, ['1'], 4, [3]],
    ['behind a row', 'a,b\r\n1,2\r\n3,4\r\n5\r\n', 10, ['3'], 5, [4]],
    ['behind a row of two lines', 'a,b\n"1\n",2\n3\n', 11, [], 5, [4]],
    ['at the end', 'a,b\n1,2\n', 8, [], 3, []],
    ['behind a row that had no line end yet', 'a,b\n1,2\n3\n', 7, [], 4, [3]],
    ['the same with CRLF', 'a,b\n1,2\r\n3\n', 7, [], 4, [3]],
    ['the same inside CRLF', 'a,b\n1,2\r\n3\n', 8, [], 4, [3]],
    ['behind a header that had no line end yet', 'a,b\n1,2\n3\n', 3, ['1'], 4, [3]],
    ['behind rows that would be refused now', 'a,b\n1"\n\xff,2,3\n4,5\n', 14, ['4'], 5, []],
    ['behind a BOM', '\ufeffa,b\n1,2\n', 3, ['1'], 3, []],
  ])('%s', (_, file, startOffset, keys, line, rejects) => {
    expect(keysFrom(file, startOffset)).toEqual({ keys, line, rejects });
  });

  it('stays behind the header when the file ends before', () => {
    const { byteOffset, line, rows } = transformFile(Buffer.from('a,b\n1,2\n'), { startOffset: 100, chunkSizes: [3] });
    expect({ byteOffset, line, rows }).toEqual({ byteOffset: 4, line: 2, rows: 0 });
  });
});
