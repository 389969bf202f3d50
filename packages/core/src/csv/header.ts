import { isUtf8 } from 'node:buffer';

import { CdrError } from '../errors.ts';
import { parseStrictly } from './strict-record.ts';

/** The fields that we add to each message: no column may be called like them. */
export const METADATA_FIELDS = ['_source_file', '_ingestion_timestamp', '_record_type'] as const;

/** How much of a found header an error shows, in characters. */
const SHOWN_MAX = 300;

const HINT =
  'Upload the file again with a first line that names these columns (UTF-8, separated by commas, in any order, more ' +
  'are allowed); a new upload is taken by itself. If the file belongs to another feed, correct its name';

export interface HeaderRules {
  /** For the message: which file this is about. */
  readonly sourceFile: string;
  readonly requiredColumns: readonly string[];
  readonly keyColumn: string;
}

/**
 * The column names of a header record, in the file's order.
 * @param header the record's bytes without BOM and line end
 * @throws CdrError `bad-header` when it is not UTF-8, not CSV, or has not the columns that the rules ask for
 */
export function parseHeader(header: Buffer, rules: HeaderRules): readonly string[] {
  if (!isUtf8(header)) throw badHeader('is not UTF-8', header, rules);
  const columns = parseStrictly(header);
  if (columns === undefined) throw badHeader('is not CSV', header, rules);

  const missing = requiredColumns(rules).filter((column) => !columns.includes(column));
  if (missing.length > 0) throw badHeader(`lacks ${missing.join(', ')}`, header, rules);
  const repeated = columns.findIndex((column, index) => columns.indexOf(column) !== index);
  if (repeated !== -1) throw badHeader(`names a column twice (column ${repeated + 1})`, header, rules);
  const reserved = METADATA_FIELDS.find((field) => columns.includes(field));
  if (reserved) throw badHeader(`has a column ${reserved}, which is a name of ours`, header, rules);
  return columns;
}

/** The error for a header that cannot be used; `problem` continues "The CSV header of FILE ...". */
export function badHeader(problem: string, found: Buffer, rules: HeaderRules): CdrError {
  const expected = requiredColumns(rules).join(',');
  return new CdrError(
    'bad-header',
    `The CSV header of ${printable(rules.sourceFile)} ${problem}; expected: ${expected}; found: ${shown(found)}`,
    { hint: hintFor(found) },
  );
}

function hintFor(found: Buffer): string {
  if (found[0] !== 0x1f || found[1] !== 0x8b) return HINT;
  return 'This is gzip data. Upload the file again under a name that ends with .csv.gz, compressed once, or as plain CSV';
}

function requiredColumns({ requiredColumns, keyColumn }: HeaderRules): readonly string[] {
  return requiredColumns.includes(keyColumn) ? requiredColumns : [...requiredColumns, keyColumn];
}

/**
 * A file without a header has a subscriber's row in its place, so long digit runs are masked: no error may contain a
 * subscriber number.
 */
function shown(found: Buffer): string {
  // bytes that are not UTF-8 are shown one by one
  const text = isUtf8(found) ? found.toString('utf8') : found.toString('latin1').replace(/[\x80-\xff]/g, hexEscape);
  const masked = printable(text).replace(/\d{5,}/g, (digits) => '#'.repeat(digits.length));
  return masked.length > SHOWN_MAX ? `${masked.slice(0, SHOWN_MAX)}...` : masked;
}

/** Control, format and separator characters, and whatever else has no shape of its own, as escapes. */
function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    character <= '\xff' ? hexEscape(character) : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

function hexEscape(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
