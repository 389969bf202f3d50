import { env } from 'node:process';

import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { RejectCode } from '../rejects.ts';
import type { FieldCheck, FieldChecks } from './field-checks.ts';
import { likelyValue } from './testing/likely-value.ts';
import { referenceRows } from './testing/reference-transform.ts';
import { outcome, transformFile, type Run } from './testing/transform-file.ts';

/** CSV_FUZZ_RUNS=100000 for a long night. */
const RUNS = Number(env['CSV_FUZZ_RUNS'] ?? 2000);
const TIMEOUT_MS = 60_000 + RUNS * 20;
const COLUMNS = ['a', 'b', 'c', 'd', 'e', 'f'];

const lineEnd = fc.constantFrom('\n', '\r\n');
const plainText = fc.constantFrom(
  '',
  'x',
  '27821234567',
  ' ',
  'é',
  '€',
  '😀',
  '\\',
  '\t',
  '/',
  '\x00',
  '\x01',
  '\u2028',
  '\r',
  'y'.repeat(40),
);
const value = fc
  .array(fc.oneof({ weight: 6, arbitrary: plainText }, fc.constantFrom('"', ',', '\n', '\r\n')), { maxLength: 4 })
  .map((parts) => parts.join(''));

/** A field as a writer would put it; `always` quotes what needs no quotes, too. */
function encode(field: string, always: boolean): string {
  return always || /[",\n\r]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

const encodedField = fc.tuple(value, fc.boolean(), fc.boolean()).map(([text, a, b]) => encode(text, a && b));
const cleanRow = (columns: number) =>
  fc.array(encodedField, { minLength: columns, maxLength: columns }).map((fields) => fields.join(','));
const plainRow = (columns: number) =>
  fc
    .array(
      plainText.filter((text) => text !== '\r'),
      { minLength: columns, maxLength: columns },
    )
    .map((fields) => fields.join(','));

/** Latin-1: each character is one byte, so that broken UTF-8 can be made. */
const token = fc.constantFrom(
  'a',
  'b,',
  ',',
  ',',
  '"',
  '"',
  '""',
  '\n',
  '\r',
  '\r\n',
  '\xc3\xa9',
  '\xf0\x9f\x98\x80',
  '\xff',
  '\xc3',
  '\\',
  '\x00',
  '\t',
  'x'.repeat(30),
);
const garbage = fc.array(token, { maxLength: 12 }).map((parts) => parts.join(''));
const longLine = fc
  .tuple(fc.integer({ min: 8100, max: 9000 }), fc.constantFrom('', '"', '\r', 'x,"'))
  .map(([length, end]) => 'z'.repeat(length) + end);

/** A value as its field would be written, sometimes with quotes that it does not need. */
const encoded = (values: fc.Arbitrary<string>) =>
  fc.tuple(values, fc.integer({ min: 0, max: 5 })).map(([text, dice]) => encode(text, dice === 0));

const latin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

const header = (columns: number) =>
  fc
    .record({ bom: fc.boolean(), blank: fc.constantFrom('', '', '\n', '\r\n\n'), quoted: fc.boolean(), end: lineEnd })
    .map(({ bom, blank, quoted, end }) => {
      const names = COLUMNS.slice(0, columns).map((name) => encode(name, quoted));
      return latin1((bom ? '\ufeff' : '') + blank + names.join(',') + end);
    });

/** Rows joined by their line ends; the last one has an end, half of one, or none. */
const body = (row: fc.Arbitrary<string>, ends = lineEnd) =>
  fc
    .tuple(fc.array(fc.tuple(row, ends), { maxLength: 12 }), fc.constantFrom('all', 'all', 'none', 'cr'))
    .map(([rows, last]) => {
      const text = rows.map(([content, end]) => content + end).join('');
      if (last === 'all' || rows.length === 0) return text;
      return text.replace(/\r?\n$/, last === 'cr' ? '\r' : '');
    });

const columnCount = fc.integer({ min: 2, max: 6 });
const anyFile = columnCount.chain((columns) =>
  fc
    .tuple(
      header(columns),
      body(
        fc.oneof(
          { weight: 6, arbitrary: cleanRow(columns).map(latin1) },
          { weight: 3, arbitrary: plainRow(columns).map(latin1) },
          { weight: 1, arbitrary: columnCount.chain(cleanRow).map(latin1) },
          { weight: 3, arbitrary: garbage },
          { weight: 1, arbitrary: fc.constant('') },
          { weight: 1, arbitrary: fc.oneof({ weight: 9, arbitrary: garbage }, longLine) },
        ),
      ),
    )
    .map((parts) => Buffer.from(parts.join(''), 'latin1')),
);
const chunkSizes = fc.oneof(
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
  fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 9 }),
);
const budgets = fc.oneof(
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }),
  fc.constant([Infinity]),
);
const maxLineBytes = fc.oneof(
  { weight: 3, arbitrary: fc.constant(1024 * 1024) },
  { weight: 1, arbitrary: fc.integer({ min: 30, max: 120 }) },
  { weight: 1, arbitrary: fc.integer({ min: 8185, max: 8200 }) },
);

function linesBefore(file: Buffer, offset: number): number {
  return file.toString('latin1', 0, offset).split('\n').length;
}

/** The whole file, the same in pieces, and the rest of it from wherever a piece ended: as the reference has it. */
function mustAgree(
  file: Buffer,
  chunkSizes: readonly number[],
  budgets: readonly number[],
  maxLineBytes: number,
  checks: FieldChecks = {},
): void {
  const whole = transformFile(file, { maxLineBytes, checks });
  const expected = referenceRows(file, maxLineBytes, checks);
  expect(whole.messages.map(({ value }) => Object.values(value).slice(3))).toEqual(
    expected.flatMap(({ fields }) => (fields ? [fields] : [])),
  );
  expect(whole.messages.map(({ key }) => key)).toEqual(whole.messages.map(({ value }) => value['a']));
  expect(whole.rejects.map(({ line, code, raw }) => ({ line, code, raw }))).toEqual(
    expected.flatMap(({ line, code, raw }) => (code ? [{ line, code, raw }] : [])),
  );
  expect(
    whole.rejects.flatMap(({ code, reason }) => (isFieldFault(code) ? [/^(\S*) is not /.exec(reason)?.[1]] : [])),
  ).toEqual(expected.flatMap(({ badColumn }) => (badColumn === undefined ? [] : [badColumn])));
  expect(whole.unknownValues).toEqual(unknownValuesOf(whole.messages, checks));
  expect(whole.byteOffset).toBe(file.length);

  const cut = transformFile(file, { maxLineBytes, checks, chunkSizes, budgets });
  expect(outcome(cut)).toEqual(outcome(whole));
  expect(cut.unknownValues).toEqual(whole.unknownValues);

  const checkpoints = new Map([...cut.checkpoints, ...whole.checkpoints].map((each) => [JSON.stringify(each), each]));
  for (const { byteOffset, line, messages, rejects } of checkpoints.values()) {
    expect(line).toBe(linesBefore(file, byteOffset));
    const rest = transformFile(file, {
      maxLineBytes,
      checks,
      startOffset: byteOffset,
      chunkSizes: chunkSizes.map((size) => size * 3),
    });
    expect(outcome(rest)).toEqual({
      ...outcome(whole),
      messages: outcome(whole).messages.slice(messages),
      rejects: whole.rejects.slice(rejects),
      rows: whole.rows - messages - rejects,
    });
  }
  // a budget of one row stops behind each row, so that each of them was resumed at
  if (budgets.every((budget) => budget === 1)) {
    const reached = new Set(cut.checkpoints.map(({ byteOffset }) => byteOffset));
    expect(expected.filter(({ byteOffset }) => !reached.has(byteOffset))).toEqual([]);
  }
}

function isFieldFault(code: RejectCode): boolean {
  return code === 'bad-msisdn' || code === 'bad-integer' || code === 'bad-time';
}

function unknownValuesOf(messages: Run['messages'], checks: FieldChecks): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [column, check] of Object.entries(checks)) {
    if (typeof check === 'string') continue;
    const unknown = messages.filter(({ value }) => column in value && !check.known.includes(value[column] ?? ''));
    if (unknown.length > 0) counts[column] = unknown.length;
  }
  return counts;
}

describe('any file', () => {
  it('gives what the reference gives, however it is cut and wherever it is resumed', { timeout: TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(anyFile, chunkSizes, budgets, maxLineBytes, (...args) => mustAgree(...args)),
      { numRuns: RUNS },
    );
  });
});

describe('a file with checked columns', () => {
  const check = fc.constantFrom<FieldCheck>('msisdn', 'integer', 'date-time', { known: ['video', '"', 'é', ''] });
  /** Checks of some columns, in any order, and of one that no file has. */
  const someChecks = fc
    .tuple(fc.subarray([...COLUMNS, 'elsewhere'], { minLength: 1 }), fc.array(check, { minLength: 7, maxLength: 7 }))
    .map(([columns, kinds]) =>
      Object.fromEntries(columns.map((column, i) => [column, kinds[i] ?? 'integer'] as const)),
    );
  const checkedFile = fc.tuple(columnCount, someChecks).chain(([columns, checks]) => {
    const field = (i: number) => encoded(likelyValue(checks[COLUMNS[i] ?? '']));
    const row = fc.tuple(...Array.from({ length: columns }, (_, i) => field(i))).map((fields) => fields.join(','));
    const rows = fc.oneof(
      { weight: 20, arbitrary: row.map(latin1) },
      { weight: 1, arbitrary: columnCount.chain(cleanRow).map(latin1) },
      { weight: 1, arbitrary: garbage },
    );
    return fc
      .tuple(header(columns), body(rows))
      .map((parts) => ({ file: Buffer.from(parts.join(''), 'latin1'), checks }));
  });

  it('rejects the rows that regular expressions reject', { timeout: TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(checkedFile, chunkSizes, budgets, maxLineBytes, ({ file, checks }, ...how) =>
        mustAgree(file, ...how, checks),
      ),
      { numRuns: RUNS },
    );
  });
});

describe('a clean file', () => {
  const cleanFile = columnCount
    .chain((columns) => fc.tuple(header(columns), body(cleanRow(columns).map(latin1))))
    .map((parts) => Buffer.from(parts.join('').replace(/\r$/, ''), 'latin1'));

  it('gives what csv-parse gives', { timeout: TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(cleanFile, chunkSizes, (file, chunkSizes) => {
        const [names, ...rows] = parse(file, { bom: true, skip_empty_lines: true, record_delimiter: ['\r\n', '\n'] });
        const run = transformFile(file, { chunkSizes });
        expect(run.rejects).toEqual([]);
        expect(run.messages.map(({ value }) => Object.entries(value).slice(3))).toEqual(
          rows.map((row) => row.map((field, i) => [names?.[i], field])),
        );
      }),
      { numRuns: RUNS },
    );
  });
});

describe('a file that was taken too early', () => {
  const plainFile = columnCount
    .chain((columns) => fc.tuple(header(columns), body(plainRow(columns).map(latin1))))
    .map((parts) => Buffer.from(parts.join('').replace(/\r$/, ''), 'latin1'));

  it('is continued at any line end, before, in and behind it', { timeout: TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(plainFile, fc.nat(), (file, seed) => {
        const ends = [...file.toString('latin1').matchAll(/\r?\n/g)].flatMap((end) => [
          end.index,
          end.index + 1,
          end.index + end[0].length,
        ]);
        const cut = ends[seed % ends.length] ?? 0;
        const whole = transformFile(file);
        const early = transformFile(file.subarray(0, cut));
        expect(early.byteOffset).toBe(cut);
        const rest = transformFile(file, { startOffset: cut });
        expect([...outcome(early).messages, ...outcome(rest).messages]).toEqual(outcome(whole).messages);
        expect(rest.line).toBe(whole.line);
      }),
      { numRuns: Math.ceil(RUNS / 4) },
    );
  });
});
