import { isUtf8 } from 'node:buffer';

import { REJECT_RAW_MAX_BYTES } from '../rejects.ts';
import type { RejectCode } from '../rejects.ts';
import type { CsvTransform, CsvTransformOptions } from './csv-transform.ts';
import { ColumnChecks } from './field-checks.ts';
import { FileStart } from './file-start.ts';
import { InputWindow } from './input-window.ts';
import { FilledBlock } from './message-block.ts';
import { findQuotedRecord } from './quoted-record.ts';
import { QuotedRun } from './quoted-run.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;

/** The fast CSV step: CsvTransform says what it promises, docs/adr/0005-csv-in-bytes.md why it works on bytes. */
export function createCsvTransform(options: CsvTransformOptions): CsvTransform {
  return new FusedTransform(options);
}

/**
 * A row takes one of three ways: appendLine copies it from CSV bytes to JSON bytes; what has a quote is delimited by
 * findQuotedRecord and decoded by csv-parse; what is neither becomes a reject.
 */
class FusedTransform implements CsvTransform {
  messages = 0;
  rejects = 0;

  readonly #options: CsvTransformOptions;
  readonly #window = new InputWindow();
  readonly #start: FileStart;
  /** No more than these many bytes (and a line end) are held for one record; enough for what a reject shows of it. */
  readonly #windowBytes: number;
  readonly #quotedRun: QuotedRun;
  #columnCount = 0;
  /** Of no column until the header is known. */
  #checks = new ColumnChecks([], {});
  /** Undefined until the header is known. */
  #block: FilledBlock | undefined;
  /** The beginning of a line that is longer than the window; the rest of it is skipped as it comes. */
  #longLine: Buffer | undefined;
  /** File offset up to which whole lines were looked at, and whether those at hand are UTF-8. */
  #utf8Until = 0;
  #linesAreUtf8 = false;

  constructor(options: CsvTransformOptions) {
    this.#options = options;
    this.#windowBytes = Math.max(options.maxLineBytes, REJECT_RAW_MAX_BYTES);
    this.#quotedRun = new QuotedRun(this.#window, options.maxLineBytes, this.#windowBytes);
    this.#start = new FileStart(this.#window, options, this.#windowBytes);
  }

  get rows(): number {
    return this.messages + this.rejects;
  }

  get unknownValues(): ReadonlyMap<string, number> {
    return this.#checks.unknownValues;
  }

  get byteOffset(): number {
    return this.#window.byteOffset;
  }

  get doneTo(): number {
    return this.#window.offsetOf(this.#window.position);
  }

  get line(): number {
    return this.#window.line;
  }

  push(chunk: Buffer, maxRows: number): boolean {
    if (chunk.length > 0) this.#window.append(chunk);
    return this.#advance(maxRows);
  }

  end(maxRows: number): boolean {
    this.#window.ended = true;
    return this.#advance(maxRows);
  }

  #advance(maxRows: number): boolean {
    const { sourceFile, recordType, timestamp } = this.#options;
    const ingestionTimestamp = timestamp();
    const block = this.#blockOnceStarted();
    if (block === undefined) return false;

    block.setMetadata(sourceFile, ingestionTimestamp, recordType);
    this.#checkUtf8();
    const stopAt = this.rows + maxRows;
    let isMore = true;
    while (isMore && this.rows < stopAt) isMore = this.#readRow(block);
    block.flush();

    const { pending, ended } = this.#window;
    return isMore && (pending > 0 || (ended && this.#longLine !== undefined));
  }

  #blockOnceStarted(): FilledBlock | undefined {
    if (this.#block === undefined) {
      const columns = this.#start.read();
      if (columns === undefined) return undefined;
      const { keyColumn, checks = {}, sink } = this.#options;
      this.#columnCount = columns.length;
      this.#checks = new ColumnChecks(columns, checks);
      this.#block = new FilledBlock(columns, keyColumn, this.#checks, sink);
    }
    return this.#block;
  }

  /** One check for all whole lines at hand costs next to nothing; only where it fails is each line looked at alone. */
  #checkUtf8(): void {
    const window = this.#window;
    const wholeLinesEnd = window.wholeLinesEnd();
    const until = window.offsetOf(wholeLinesEnd);
    if (until <= this.#utf8Until) return;
    this.#utf8Until = until;
    this.#linesAreUtf8 = isUtf8(window.data.subarray(window.position, wholeLinesEnd));
  }

  /** Reads one row or blank line. False when that needs more bytes, or there are none. */
  #readRow(block: FilledBlock): boolean {
    const window = this.#window;
    if (this.#longLine !== undefined) return this.#skipLongLine(this.#longLine);
    if (!window.findLine()) {
      this.#letGoOfLongLine();
      return false;
    }
    const { data, position, contentEnd } = window;
    const length = contentEnd - position;
    if (length > 0) {
      const isPlain = this.#linesAreUtf8 && length <= this.#options.maxLineBytes;
      if (!isPlain || !block.appendLine(data, position, contentEnd)) return this.#readOddRow(block);
      this.#countMessage(block, data, position, contentEnd);
    }
    window.finishLine();
    return true;
  }

  /** A row that is not plain: too long, with quotes, not UTF-8, or with fields that are not the header's or not right. */
  #readOddRow(block: FilledBlock): boolean {
    const window = this.#window;
    const { data, position, contentEnd } = window;
    const line = data.subarray(position, contentEnd);
    const { maxLineBytes } = this.#options;

    if (line.length > maxLineBytes) this.#reject('line-too-long', `longer than ${maxLineBytes} bytes`, line);
    else if (line.includes(QUOTE)) return this.#readQuotedRecord(block, line);
    else if (!isUtf8(line)) this.#reject('bad-utf8', 'bytes that are not UTF-8', line);
    else if (block.appendLine(data, position, contentEnd)) this.#countMessage(block, data, position, contentEnd);
    else this.#rejectFields(countCommas(line) + 1, line);
    window.finishLine();
    return true;
  }

  #readQuotedRecord(block: FilledBlock, line: Buffer): boolean {
    const window = this.#window;
    const found = findQuotedRecord(window, window.position, this.#options.maxLineBytes, this.#windowBytes);
    if (found === undefined) return false;
    if (found.kind === 'bad-quote') return this.#rejectFirstLine(found.reason, line);

    const record = window.data.subarray(window.position, found.contentEnd);
    if (!isUtf8(record)) {
      this.#reject('bad-utf8', 'bytes that are not UTF-8', record);
    } else {
      const fields = this.#quotedRun.decode(found);
      if (fields === undefined) return this.#rejectFirstLine('not CSV', line);
      if (fields.length === this.#columnCount && block.appendFields(fields, record.length)) {
        this.#countMessage(block, record, 0, record.length);
      } else {
        this.#rejectFields(fields.length, record);
      }
    }
    window.finish(found.next);
    return true;
  }

  /** The message that was just appended goes out, unless no broker would take it. */
  #countMessage(block: FilledBlock, data: Buffer, start: number, end: number): void {
    const { maxMessageBytes } = this.#options;
    const bytes = block.lastMessageBytes;
    if (bytes <= maxMessageBytes) {
      this.messages++;
      return;
    }
    block.dropLast();
    this.#reject(
      'line-too-long',
      `a message of ${bytes} bytes, at most ${maxMessageBytes} fit`,
      data.subarray(start, end),
    );
  }

  /** Whoever forgot a quote must not swallow the rows behind it: reading goes on at the next physical line. */
  #rejectFirstLine(reason: string, line: Buffer): boolean {
    this.#reject('bad-quote', reason, line);
    this.#window.finishLine();
    return true;
  }

  #letGoOfLongLine(): void {
    const window = this.#window;
    // the one byte more may be the CR of the line's end
    if (window.pending <= this.#windowBytes + 1) return;
    this.#longLine = Buffer.from(window.data.subarray(window.position, window.position + REJECT_RAW_MAX_BYTES));
    window.skip(window.end);
  }

  /** The row counts when its line ends, so that byteOffset and the counts agree at any time. */
  #skipLongLine(beginning: Buffer): boolean {
    const window = this.#window;
    const isLineEndHere = window.findLine();
    if (!isLineEndHere && !window.ended) {
      window.skip(window.end);
      return false;
    }
    this.#reject('line-too-long', `longer than ${this.#options.maxLineBytes} bytes`, beginning);
    this.#longLine = undefined;
    window.finish(isLineEndHere ? window.next : window.end);
    return true;
  }

  /** A record whose fields are too few, too many, or one of them is not what it must be. */
  #rejectFields(found: number, record: Buffer): void {
    const expected = this.#columnCount;
    if (found === expected) {
      const { code, reason } = this.#checks.failure;
      return this.#reject(code, reason, record);
    }
    this.#reject(
      found < expected ? 'too-few-fields' : 'too-many-fields',
      `${found} fields, ${expected} expected`,
      record,
    );
  }

  #reject(code: RejectCode, reason: string, record: Buffer): void {
    this.rejects++;
    this.#options.sink.reject({ line: this.line, code, reason, raw: record.subarray(0, REJECT_RAW_MAX_BYTES) });
  }
}

function countCommas(line: Uint8Array): number {
  let commas = 0;
  for (let at = line.indexOf(COMMA); at !== -1; at = line.indexOf(COMMA, at + 1)) commas++;
  return commas;
}
