import type { RejectedRow } from '../rejects.ts';
import type { FieldChecks } from './field-checks.ts';

/**
 * Where the CSV step puts what it makes. Called synchronously from `push` and `end`; the buffers are reused afterwards,
 * so whoever wants to keep bytes copies them before returning.
 */
export interface CsvSink {
  /**
   * `count` messages, one after another in `block.bytes`. Message i is bytes[valueEnds[i-1] .. valueEnds[i]) (from 0 for
   * i = 0); its key is keyBytes[keyStarts[i] .. keyEnds[i]).
   */
  messages(block: MessageBlock): void;
  /** In file order among rejects; the order between messages and rejects is not kept. */
  reject(row: RejectedRow): void;
}

export interface MessageBlock {
  readonly count: number;
  readonly bytes: Buffer;
  readonly valueEnds: Int32Array;
  /** Often the same buffer as `bytes`: the key is a piece of the value unless JSON had to escape it. */
  readonly keyBytes: Buffer;
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
}

export interface CsvTransformOptions {
  /** Base name of the file, for `_source_file`. */
  readonly sourceFile: string;
  /** `_record_type`. */
  readonly recordType: string;
  readonly requiredColumns: readonly string[];
  readonly keyColumn: string;
  /** What values must be, by column; columns that a file does not have are no matter. Default: no check. */
  readonly checks?: FieldChecks;
  /**
   * A record longer than this many bytes (the line end behind it not counted) is a reject: its first line is
   * `line-too-long` if that alone is longer, else `bad-quote`, as a record of many lines is most likely an open quote.
   */
  readonly maxLineBytes: number;
  /** A record whose message (key and value) would be longer than this many bytes is a reject, too: no broker takes it. */
  readonly maxMessageBytes: number;
  /** `_ingestion_timestamp` of the rows of one push; called once per push. */
  readonly timestamp: () => string;
  readonly sink: CsvSink;
  /**
   * Byte offset of a row boundary up to which rows were ingested before: the header is read, lines are counted, and rows
   * before it are neither messages nor rejects nor counted. 0 = from the start. Should the file end before it, byteOffset
   * stays below it.
   */
  readonly startOffset?: number;
}

/**
 * CSV bytes of one file, pushed in order, to JSON messages and rejects. Bytes in, bytes out; no I/O.
 * Throws CdrError `bad-header` from push or end when the header is not the feed's. A file without a header has no rows.
 *
 * Rows end in LF or CRLF; any other CR is content, but for one at the very end of the file, which is taken for half of a
 * CRLF. Fields are quoted by RFC 4180, strictly. Where a row has several faults, its code is the first of
 * `line-too-long`, `bad-quote`, `bad-utf8`, `too-few-fields`, `too-many-fields` and what the first value says that is not
 * what it must be. A reject is one record, except that `bad-quote` takes only the first physical line and leaves the next
 * one to be read as a row of its own.
 */
export interface CsvTransform {
  /**
   * Takes the next bytes of the file and turns whole rows into messages and rejects, at most `maxRows` of them. The bytes
   * are copied: `chunk` is the caller's again when this returns. Returns true when it stopped at `maxRows` with bytes
   * left that it has not looked at: call `push(EMPTY, maxRows)` to go on, before pushing more bytes.
   */
  push(chunk: Buffer, maxRows: number): boolean;
  /** No more bytes: an unterminated last line is a row. Same return value as push; call again while it is true. */
  end(maxRows: number): boolean;
  /** Rows so far (messages + rejects), from startOffset on. */
  readonly rows: number;
  readonly messages: number;
  readonly rejects: number;
  /** By column: how many values outside of its list of known ones the messages had. A column without any is not there. */
  readonly unknownValues: ReadonlyMap<string, number>;
  /** Byte offset just behind the last row (or header, or blank line) that was finished: a checkpoint. */
  readonly byteOffset: number;
  /**
   * Byte offset up to which the bytes are done with; beyond byteOffset only within a line that is too long to be held. No
   * later byteOffset lies between the two.
   */
  readonly doneTo: number;
  /** Physical line number of the row that starts at byteOffset, from 1. */
  readonly line: number;
}
