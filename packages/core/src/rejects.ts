/** Why a row could not become a message. A closed list: consumers of the rejects topic may branch on it. */
export const REJECT_CODES = [
  'line-too-long',
  'bad-quote',
  'bad-utf8',
  'too-few-fields',
  'too-many-fields',
  'bad-msisdn',
  'bad-integer',
  'bad-time',
] as const;
export type RejectCode = (typeof REJECT_CODES)[number];

/** How much of a rejected row is kept, in bytes. */
export const REJECT_RAW_MAX_BYTES = 8192;

/** A row that could not become a message, as the CSV step reports it. */
export interface RejectedRow {
  /** Physical line of the file, from 1; the header is line 1. */
  readonly line: number;
  readonly code: RejectCode;
  /** For a person: what was expected and found. Never the row's content. */
  readonly reason: string;
  /** The row's bytes without its line end, at most REJECT_RAW_MAX_BYTES of them. A view: copy it to keep it. */
  readonly raw: Uint8Array;
}

/**
 * The value of a message on the rejects topic. `raw` is the row's text; where its bytes are not UTF-8, `raw_base64`
 * carries them and `raw` has replacement characters.
 */
export function rejectMessage(fileKey: string, reject: RejectedRow): string {
  const bytes = Buffer.from(reject.raw.buffer, reject.raw.byteOffset, reject.raw.byteLength);
  const raw = bytes.toString('utf8');
  const exact = Buffer.from(raw, 'utf8').equals(bytes);
  return JSON.stringify({
    file: fileKey,
    line: reject.line,
    code: reject.code,
    reason: reject.reason,
    raw,
    ...(exact ? {} : { raw_base64: bytes.toString('base64') }),
  });
}
