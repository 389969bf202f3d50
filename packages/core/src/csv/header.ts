import { isUtf8 } from 'node:buffer';

import { CdrError } from '../errors.ts';
import { parseStrictly } from './strict-record.ts';

/** The fields that we add to each message: no column may be called like them. */
export const METADATA_FIELDS = ['_source_file', '_ingestion_timestamp', '_record_type'] as const;

/** How much of a found header an error shows. */
const SHOWN_COLUMNS = 40;
const SHOWN_MAX = 600;
/** What may be the name of a column: words, with too few digits for a subscriber number. */
const COLUMN_NAME = /^(?!(?:\P{N}*\p{N}){4})[\p{L}_][\p{L}\p{N}_ -]{0,29}$/u;
const FORMATS = [
  { name: 'gzip', bytes: Buffer.from([0x1f, 0x8b]) },
  { name: 'zip', bytes: Buffer.from('PK\x03\x04') },
  { name: 'UTF-16', bytes: Buffer.from([0xff, 0xfe]) },
  { name: 'UTF-16', bytes: Buffer.from([0xfe, 0xff]) },
];
/** Files of others may be separated by these. */
const SEPARATOR = /[,;|\t]/;

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
  if (!isUtf8(header)) throw badHeader(NOT_UTF8 + formatOf(header), header, rules);
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

const NOT_UTF8 = 'is not UTF-8';

/** What is wrong with a header whose quotes are not in place: bytes that are no text have quotes anywhere. */
export function quoteProblem(line: Buffer, reason: string): string {
  return isUtf8(line) ? `is not CSV (${reason})` : NOT_UTF8 + formatOf(line);
}

/** What a file that is no CSV looks like, where its first bytes tell. */
function formatOf(beginning: Buffer): string {
  const format = FORMATS.find(({ bytes }) => beginning.subarray(0, bytes.length).equals(bytes));
  return format ? ` but looks like ${format.name}` : '';
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
 * A file without a header has a subscriber's row in its place: number, address, web site. No error may contain one, in
 * whatever form it is written, so only what looks like the name of a column is shown, and the length of everything else.
 */
function shown(found: Buffer): string {
  const fields = found.toString('utf8').split(SEPARATOR);
  const some = fields.slice(0, SHOWN_COLUMNS).map((field) => {
    const name = field.trim().replace(/^"(.*)"$/su, '$1');
    return name === '' || COLUMN_NAME.test(name) ? name : `<${[...name].length} characters>`;
  });
  const text = some.join(',');
  return fields.length > SHOWN_COLUMNS || text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
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
