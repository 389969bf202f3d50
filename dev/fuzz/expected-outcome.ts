import { referenceHeader, referenceRows } from '@cdr/core/csv/testing/reference-transform';
import { METADATA_FIELDS } from '@cdr/core/csv/header';
import type { Feed } from '@cdr/core/feeds';
import { tooManyRejects } from '@cdr/core/reject-ratio';
import type { RejectCode } from '@cdr/core/rejects';

/** What of a deployment's settings decides what becomes of a file. */
export interface DecidingSettings {
  readonly fieldChecks: 'strict' | 'off';
  readonly maxLineBytes: number;
  readonly maxRejectRatio: number;
  readonly transactionMaxRecords: number;
}

/** A row as it must be found. */
export type ExpectedRow =
  | { readonly kind: 'message'; readonly message: string }
  | { readonly kind: 'reject'; readonly line: number; readonly code: RejectCode; readonly raw: Buffer };

/** What must become of a file. */
export interface ExpectedOutcome {
  /** Why it is refused; undefined when it goes in whole. */
  readonly refusal: 'bad-header' | 'too-many-rejects' | undefined;
  /** Everything that must be visible, in file order. Of a refused file, the rows of transactions before the one refused. */
  readonly rows: readonly ExpectedRow[];
}

/** What no broker takes. */
const MESSAGE_MAX_BYTES = 1_000_000;
const TIMESTAMP = '2024-12-07T15:23:45.123456';

/** What the strict reference parser says of a file. `name` is the file's name, which is in every message. */
export function expectedOutcome(
  content: Buffer,
  name: string,
  feed: Feed,
  settings: DecidingSettings,
): ExpectedOutcome {
  const header = referenceHeader(content, settings.maxLineBytes);
  if (header === undefined) return { refusal: undefined, rows: [] };
  const { columns } = header;
  if (columns === undefined || !isHeaderOf(feed, columns)) return { refusal: 'bad-header', rows: [] };

  const checks = settings.fieldChecks === 'strict' ? feed.checks : {};
  const rows = referenceRows(content, settings.maxLineBytes, checks).map(({ line, fields, code, raw }): ExpectedRow => {
    const rejected = (why: RejectCode): ExpectedRow => ({
      kind: 'reject',
      line,
      code: why,
      raw: Buffer.from(raw, 'latin1'),
    });
    if (fields === undefined) return rejected(code ?? 'bad-quote');
    const values = Object.fromEntries(columns.map((column, i) => [column, fields[i] ?? '']));
    const key = values[feed.keyColumn] ?? '';
    const bytes = Buffer.byteLength(
      JSON.stringify({ _source_file: name, _ingestion_timestamp: TIMESTAMP, _record_type: feed.name, ...values }),
    );
    if (bytes + Buffer.byteLength(JSON.stringify(key)) - 2 > MESSAGE_MAX_BYTES) return rejected('line-too-long');
    return { kind: 'message', message: canonicalMessage(key, feed.name, values) };
  });

  for (let start = 0; start < rows.length; start += settings.transactionMaxRecords) {
    const transaction = rows.slice(start, start + settings.transactionMaxRecords);
    const rejects = transaction.filter(({ kind }) => kind === 'reject').length;
    if (tooManyRejects(transaction.length, rejects, settings.maxRejectRatio))
      return { refusal: 'too-many-rejects', rows: rows.slice(0, start) };
  }
  return { refusal: undefined, rows };
}

/** The same text for the same message, in whatever order its fields are: key, record type and columns. */
export function canonicalMessage(key: string, recordType: string, columns: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(columns).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return JSON.stringify([key, recordType, sorted]);
}

function isHeaderOf(feed: Feed, columns: readonly string[]): boolean {
  const isComplete = feed.columns.every((column) => columns.includes(column));
  const isUnique = new Set(columns).size === columns.length;
  return isComplete && isUnique && !METADATA_FIELDS.some((field) => columns.includes(field));
}
