import type { InputWindow } from './input-window.ts';
import type { CompleteRecord } from './quoted-record.ts';
import { findQuotedRecord } from './quoted-record.ts';
import { parseAllStrictly, parseStrictly } from './strict-record.ts';

const LF = 0x0a;
const QUOTE = 0x22;

const RUN_RECORDS = 64;
const RUN_BYTES = 64 * 1024;

/**
 * Decodes records with quotes by csv-parse, a run of neighbours in one call: a call costs 10 us, a record in it 2 us, and
 * there are writers that quote everything. What was decoded ahead waits here, by file offset, for its record's turn.
 */
export class QuotedRun {
  readonly #window: InputWindow;
  readonly #maxBytes: number;
  readonly #windowBytes: number;
  #decoded = new Map<number, readonly string[]>();
  /** File offset up to which records are decoded one by one, because as a run they cannot be (lengths differ). */
  #noRunUntil = 0;

  constructor(window: InputWindow, maxBytes: number, windowBytes: number) {
    this.#window = window;
    this.#maxBytes = maxBytes;
    this.#windowBytes = windowBytes;
  }

  /**
   * Fields of the record at the window's position; undefined when csv-parse refuses it.
   * @param record where findQuotedRecord says that it ends
   */
  decode(record: CompleteRecord): readonly string[] | undefined {
    const { position } = this.#window;
    const offset = this.#window.offsetOf(position);
    if (!this.#decoded.has(offset) && offset >= this.#noRunUntil) this.#decodeRun(position, record);
    return this.#decoded.get(offset) ?? parseStrictly(this.#window.data.subarray(position, record.contentEnd));
  }

  #decodeRun(position: number, first: CompleteRecord): void {
    const window = this.#window;
    const starts = [position];
    let last = first;
    while (starts.length < RUN_RECORDS && last.next - position < RUN_BYTES && this.#lineHasQuote(last.next)) {
      const record = findQuotedRecord(window, last.next, this.#maxBytes, this.#windowBytes);
      if (record?.kind !== 'complete') break;
      starts.push(last.next);
      last = record;
    }
    this.#decoded.clear();
    if (starts.length === 1) return;
    const records = parseAllStrictly(window.data.subarray(position, last.contentEnd));
    if (records?.length !== starts.length) {
      this.#noRunUntil = window.offsetOf(last.next);
      return;
    }
    for (const [i, start] of starts.entries()) this.#decoded.set(window.offsetOf(start), records[i] ?? []);
  }

  #lineHasQuote(from: number): boolean {
    const { data, end } = this.#window;
    const quote = data.indexOf(QUOTE, from);
    if (quote === -1 || quote >= end) return false;
    const lf = data.indexOf(LF, from);
    return lf === -1 || quote < lf;
  }
}
