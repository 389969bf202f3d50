import { isUtf8 } from 'node:buffer';

import { CsvError, parse } from 'csv-parse/sync';

import type { RejectCode } from '../../rejects.ts';
import type { FieldCheck, FieldChecks } from '../field-checks.ts';

export interface ReferenceRow {
  readonly line: number;
  readonly byteOffset: number;
  readonly fields?: readonly string[];
  readonly code?: RejectCode;
  /** The column whose value is the reason. */
  readonly badColumn?: string;
  readonly raw: string;
}

interface Line {
  readonly start: number;
  readonly contentEnd: number;
  readonly next: number;
}

export interface ReferenceHeader {
  /** Undefined when the first record is not CSV, not UTF-8 or too long. */
  readonly columns: readonly string[] | undefined;
}

/** The first record of a file; undefined when there is none. */
export function referenceHeader(file: Buffer, maxLineBytes: number): ReferenceHeader | undefined {
  const lines = physicalLines(file);
  const first = lines.findIndex(({ start, contentEnd }) => start < contentEnd);
  if (first === -1) return undefined;
  const { code, fields } = readRecord(file, lines, first, maxLineBytes);
  return { columns: code === undefined ? fields : undefined };
}

/**
 * What the transform should do, written for obviousness instead of speed: cut the file into physical lines, then let
 * csv-parse say whether one line, or the first two, or the first three... are a record. The first record is the header.
 */
export function referenceRows(file: Buffer, maxLineBytes: number, checks: FieldChecks = {}): ReferenceRow[] {
  const lines = physicalLines(file);
  const rows: ReferenceRow[] = [];
  let columns: readonly string[] | undefined;
  for (let i = 0; i < lines.length;) {
    const first = lines[i]!;
    if (first.start === first.contentEnd) {
      i++;
      continue;
    }
    const { lineCount, code, fields } = readRecord(file, lines, i, maxLineBytes);
    const last = lines[i + lineCount - 1]!;
    if (columns === undefined) {
      columns = fields ?? [];
    } else {
      const raw = file.toString('latin1', first.start, Math.min(last.contentEnd, first.start + 8192));
      const row = { line: i + 1, byteOffset: last.next, raw };
      if (fields === undefined || code !== undefined) rows.push({ ...row, code: code ?? 'bad-quote' });
      else if (fields.length < columns.length) rows.push({ ...row, code: 'too-few-fields' });
      else if (fields.length > columns.length) rows.push({ ...row, code: 'too-many-fields' });
      else rows.push({ ...row, ...(firstBadField(fields, columns, checks) ?? { fields }) });
    }
    i += lineCount;
  }
  return rows;
}

function firstBadField(
  fields: readonly string[],
  columns: readonly string[],
  checks: FieldChecks,
): { code: RejectCode; badColumn: string } | undefined {
  for (const [i, badColumn] of columns.entries()) {
    const code = faultOf(fields[i] ?? '', Object.entries(checks).find(([column]) => column === badColumn)?.[1]);
    if (code !== undefined) return { code, badColumn };
  }
  return undefined;
}

/** The code of a value that is not what its check says. */
export function faultOf(value: string, check: FieldCheck | undefined): RejectCode | undefined {
  if (typeof check !== 'string') return undefined;
  switch (check) {
    case 'msisdn':
      return /^\+?[0-9]{5,20}$/.test(value) ? undefined : 'bad-msisdn';
    case 'integer':
      return /^[0-9]{1,18}$/.test(value) ? undefined : 'bad-integer';
    case 'date-time':
      return isDateTime(value) ? undefined : 'bad-time';
  }
}

function isDateTime(value: string): boolean {
  const match =
    /^(\d{4}-\d\d-\d\d)[ T](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?$/.exec(
      value,
    );
  const [, date = ''] = match ?? [];
  const midnight = new Date(`${date}T00:00:00Z`);
  // a day that no month has is the next month's, or no date at all
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(date) && !date.startsWith('0000');
}

function readRecord(
  file: Buffer,
  lines: readonly Line[],
  from: number,
  maxLineBytes: number,
): { lineCount: number; code?: RejectCode; fields?: readonly string[] } {
  const { start, contentEnd } = lines[from]!;
  if (contentEnd - start > maxLineBytes) return { lineCount: 1, code: 'line-too-long' };
  for (let lineCount = 1; from + lineCount <= lines.length; lineCount++) {
    const bytes = file.subarray(start, lines[from + lineCount - 1]!.contentEnd);
    if (bytes.length > maxLineBytes) break;
    // csv-parse takes a NUL behind a closing quote for the end of the file, so it judges the quotes without NULs
    const verdict = tryParse(Buffer.from(bytes.map((byte) => (byte === 0 ? 1 : byte))));
    if (verdict === 'CSV_QUOTE_NOT_CLOSED') continue;
    if (typeof verdict === 'string') break;
    if (!isUtf8(bytes)) return { lineCount, code: 'bad-utf8' };
    const fields = tryParse(bytes);
    return typeof fields === 'string' ? { lineCount, code: 'bad-quote' } : { lineCount, fields };
  }
  return { lineCount: 1, code: 'bad-quote' };
}

/** The fields of the one record in these bytes, or the code of csv-parse's error. */
function tryParse(bytes: Buffer): readonly string[] | string {
  try {
    const records: string[][] = parse(bytes, { record_delimiter: ['\r\n', '\n'] });
    return records.length === 1 ? records[0]! : 'not one record';
  } catch (error) {
    if (error instanceof CsvError) return error.code;
    throw error;
  }
}

function physicalLines(file: Buffer): Line[] {
  const lines: Line[] = [];
  const text = file.toString('latin1');
  let start = text.startsWith('\xef\xbb\xbf') ? 3 : 0;
  while (start < text.length) {
    const lf = text.indexOf('\n', start);
    const lineEnd = lf === -1 ? text.length : lf;
    const contentEnd = lineEnd > start && text[lineEnd - 1] === '\r' ? lineEnd - 1 : lineEnd;
    lines.push({ start, contentEnd, next: lf === -1 ? text.length : lf + 1 });
    start = lf === -1 ? text.length : lf + 1;
  }
  return lines;
}
