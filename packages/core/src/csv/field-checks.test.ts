import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ColumnChecks, type FieldCheck } from './field-checks.ts';
import { likelyValue } from './testing/likely-value.ts';
import { faultOf } from './testing/reference-transform.ts';
import { transformFile } from './testing/transform-file.ts';

/** The code that a value is refused with; undefined when it passes. The bytes around it are digits. */
function refused(check: FieldCheck, value: string): string | undefined {
  const checks = new ColumnChecks(['x', 'c'], { c: check });
  const text = Buffer.from(JSON.stringify(value).slice(1, -1));
  const bytes = Buffer.concat([Buffer.from('12345'), text, Buffer.from('12345')]);
  checks.beginRow();
  return checks.holds(1, bytes, 5, 5 + text.length) ? undefined : checks.failure.code;
}

describe('an MSISDN', () => {
  it.each(['27821234567', '+27821234567', '12345', '+12345', '0'.repeat(20), `+${'9'.repeat(20)}`])(
    'may be %j',
    (value) => expect(refused('msisdn', value)).toBeUndefined(),
  );

  it.each(['', '+', '1234', '+1234', '0'.repeat(21), '++27821234567', '2782 1234567', '27821234567 ', '27821234x67'])(
    'may not be %j',
    (value) => expect(refused('msisdn', value)).toBe('bad-msisdn'),
  );
});

describe('an integer', () => {
  it.each(['0', '007', '9'.repeat(18)])('may be %j', (value) => expect(refused('integer', value)).toBeUndefined());

  it.each(['', '-1', '+1', '1.0', '1e3', ' 1', '1 ', '9'.repeat(19), '0x1', 'NaN', '１', '٣', '1\n', '1\\'])(
    'may not be %j',
    (value) => expect(refused('integer', value)).toBe('bad-integer'),
  );
});

describe('a date and time', () => {
  it.each([
    '2024-01-01 10:15:30',
    '2024-01-01T10:15:30',
    '2024-12-31 23:59:59.999999',
    '2024-01-01 00:00:00.1',
    '2024-01-01T10:15:30.123456789Z',
    '2024-01-01 10:15:30Z',
    '2024-01-01 10:15:30+02',
    '2024-01-01 10:15:30-0330',
    '2024-01-01T10:15:30.5+02:00',
    '2024-02-29 00:00:00',
    '2000-02-29 00:00:00',
    '0001-01-01 00:00:00',
    '9999-12-31 23:59:59',
  ])('may be %j', (value) => expect(refused('date-time', value)).toBeUndefined());

  it.each([
    '',
    '2024-01-01',
    '2024-01-01 10:15',
    '2024-01-01  10:15:30',
    '2024-01-01t10:15:30',
    '2024/01/01 10:15:30',
    '01-01-2024 10:15:30',
    '0000-01-01 00:00:00',
    '2024-00-01 00:00:00',
    '2024-13-01 00:00:00',
    '2024-01-00 00:00:00',
    '2024-04-31 00:00:00',
    '2023-02-29 00:00:00',
    '1900-02-29 00:00:00',
    '2024-01-01 24:00:00',
    '2024-01-01 10:60:00',
    '2024-01-01 10:15:60',
    '2024-01-01 10:15:30.',
    '2024-01-01 10:15:30,5',
    '2024-01-01 10:15:30.1234567890',
    '2024-01-01 10:15:30z',
    '2024-01-01 10:15:30 Z',
    '2024-01-01 10:15:30ZZ',
    '2024-01-01 10:15:30+',
    '2024-01-01 10:15:30+2',
    '2024-01-01 10:15:30+02:',
    '2024-01-01 10:15:30+02:0',
    '2024-01-01 10:15:30+24:00',
    '2024-01-01 10:15:30+02:60',
    '2024-01-01 10:15:30+02:000',
    '1704104130',
    '20240101101530',
  ])('may not be %j', (value) => expect(refused('date-time', value)).toBe('bad-time'));
});

describe('any value', () => {
  it.each<FieldCheck>(['msisdn', 'integer', 'date-time'])(
    'is judged as a regular expression judges it: %s',
    (check) => {
      fc.assert(
        fc.property(likelyValue(check), (value) => {
          expect(refused(check, value)).toBe(faultOf(value, check));
        }),
        { numRuns: 3000 },
      );
    },
  );
});

describe('checked columns', () => {
  const checks = { n: 'integer', t: { known: ['video', 'a"b', 'é'] }, at: 'date-time' } as const;
  const run = (rows: string, header = 'a,n,t,at') => transformFile(Buffer.from(`${header}\n${rows}`), { checks });
  const rejectsOf = (rows: string, header?: string) =>
    run(rows, header).rejects.map(({ line, code, reason }) => `${line} ${code}: ${reason}`);
  const AT = '2024-01-01 10:15:30';

  it('are found by their names, in any order; others and those that are not there do not matter', () => {
    expect(rejectsOf('x,1,9\ny,z,9\n1,2,x\n', 'a,n,more')).toEqual([
      '3 bad-integer: n is not a whole number of 1 to 18 digits',
    ]);
    expect(rejectsOf('x,1\n1,x\n', 'n,a')).toEqual(['2 bad-integer: n is not a whole number of 1 to 18 digits']);
    expect(rejectsOf('x,y,z\n', 'a,constructor,__proto__')).toEqual([]);
  });

  it('name the column and what was expected, of several the first in the order of the file', () => {
    expect(rejectsOf(`1,,video,\n1,2,video,yesterday\n`)).toEqual([
      '2 bad-integer: n is not a whole number of 1 to 18 digits',
      '3 bad-time: at is not a date and time like 2024-01-31 23:59:59',
    ]);
    expect(rejectsOf(`,1\nyesterday,x\n`, 'at,a,n').map((text) => text.slice(0, 16))).toEqual([
      '2 too-few-fields',
      '3 too-few-fields',
    ]);
  });

  it('come after everything else that may be wrong with a row, but before the length of its message', () => {
    const file = `a,n\n1,x,"\n1,x,2\nx\n1,x${'y'.repeat(200)}\n"1","x"\n1,"2"\n`;
    const { rejects, messages } = transformFile(Buffer.from(file), { checks, maxMessageBytes: 150 });
    expect(rejects.map(({ line, code }) => `${line} ${code}`)).toEqual([
      '2 bad-quote',
      '3 too-many-fields',
      '4 too-few-fields',
      '5 bad-integer',
      '6 bad-integer',
    ]);
    expect(messages.map(({ key }) => key)).toEqual(['1']);
  });

  it('leave nothing of a refused row behind, and go on with the next', () => {
    const { messages, rejects } = run(
      `1,1,video,${AT}\n2\t,2,video,x\n3,3,video,${AT}\n"4""",4,video,x\n"5""",5,video,${AT}\n`,
    );
    expect(messages.map(({ key, value }) => [key, value['a'], value['n'], value['at']])).toEqual([
      ['1', '1', '1', AT],
      ['3', '3', '3', AT],
      ['5"', '5"', '5', AT],
    ]);
    expect(rejects.map(({ line }) => line)).toEqual([3, 5]);
  });

  it('count the unknown values of the rows that became messages', () => {
    const values = ['video', 'Video', '"a""b"', 'é', 'e', '"vid,eo"', ''];
    const good = values.map((value) => `1,1,${value},${AT}\n`).join('');
    const refusedRows = `1,1,new,x\n1,1,"new",x\n`;
    expect(run(good + refusedRows).unknownValues).toEqual({ t: 4 });
    const tooLong = `1,1,${'n'.repeat(300)},${AT}\n`;
    const { unknownValues, messages } = transformFile(Buffer.from(`a,n,t,at\n${tooLong}1,1,new,${AT}\n${tooLong}`), {
      checks,
      maxMessageBytes: 250,
    });
    expect({ unknownValues, messages: messages.length }).toEqual({ unknownValues: { t: 1 }, messages: 1 });
  });
});
