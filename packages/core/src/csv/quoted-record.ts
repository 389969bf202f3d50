import type { InputWindow } from './input-window.ts';

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;

export interface CompleteRecord {
  readonly kind: 'complete';
  readonly contentEnd: number;
  readonly next: number;
}

/** Where a record with quotes ends, or why it is none. */
export type QuotedRecord = CompleteRecord | { readonly kind: 'bad-quote'; readonly reason: string };

/**
 * Finds the end of the record that starts at window.data[start]. Undefined when that needs more bytes, which is never so
 * with more than windowBytes + 1 bytes at hand (the one more may be the CR of the record's end).
 * @param maxBytes a longer record counts as a quote that nobody closed
 * @param windowBytes how far to look, at least maxBytes
 */
export function findQuotedRecord(
  window: InputWindow,
  start: number,
  maxBytes: number,
  windowBytes: number,
): QuotedRecord | undefined {
  // the same end whatever the chunks were, so that the same file gives the same reasons
  const end = Math.min(window.end, start + windowBytes + 2);
  const record = scan(window.data, start, end, window.ended && end === window.end);
  if (record === undefined && window.end - start <= windowBytes + 1) return undefined;
  if (record === undefined || (record.kind === 'complete' && record.contentEnd - start > maxBytes)) {
    return bad(`quote not closed, or record longer than ${maxBytes} bytes`);
  }
  return record;
}

/**
 * By RFC 4180 a field is quoted from its first byte to a quote that a comma or a line end follows, or has no quote.
 * Looks at data[start .. end) only; undefined when the record may go on behind that.
 */
function scan(data: Uint8Array, start: number, end: number, isFileEnd: boolean): QuotedRecord | undefined {
  let at = start;
  for (;;) {
    if (at < end && data[at] === QUOTE) {
      at = closingQuote(data, at + 1, end);
      if (at === end) return isFileEnd ? bad('quote not closed before the end of the file') : undefined;
      at++;
      if (at < end && data[at] !== COMMA && !isLineEnd(data, at, end)) return bad('text after a closing quote');
    } else {
      while (at < end && data[at] !== COMMA && data[at] !== QUOTE && !isLineEnd(data, at, end)) at++;
      if (at < end && data[at] === QUOTE) return bad('quote inside an unquoted field');
    }
    if (at < end && data[at] === COMMA) {
      at++;
      continue;
    }
    const lf = at < end && data[at] === CR ? at + 1 : at;
    // at the end of the bytes at hand, more text may follow, the LF behind a CR, or the other half of a doubled quote
    if (lf < end) return { kind: 'complete', contentEnd: at, next: lf + 1 };
    return isFileEnd ? { kind: 'complete', contentEnd: at, next: end } : undefined;
  }
}

/** Index of the quote that ends the field, past every doubled one; `end` when it is not there. */
function closingQuote(data: Uint8Array, from: number, end: number): number {
  let at = from;
  for (;;) {
    at = data.indexOf(QUOTE, at);
    if (at === -1 || at >= end) return end;
    if (at + 1 >= end || data[at + 1] !== QUOTE) return at;
    at += 2;
  }
}

/** LF, CRLF, or a CR that may be the first half of a CRLF because nothing is there behind it. Any other CR is content. */
function isLineEnd(data: Uint8Array, at: number, end: number): boolean {
  return data[at] === LF || (data[at] === CR && (at + 1 >= end || data[at + 1] === LF));
}

function bad(reason: string): QuotedRecord {
  return { kind: 'bad-quote', reason };
}
