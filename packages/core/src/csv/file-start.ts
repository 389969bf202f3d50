import type { CsvTransformOptions } from './csv-transform.ts';
import { badHeader, parseHeader, quoteProblem } from './header.ts';
import type { InputWindow } from './input-window.ts';
import { findQuotedRecord } from './quoted-record.ts';

const QUOTE = 0x22;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** What comes before the first row to ingest: a BOM, blank lines, the header, and the rows that were ingested before. */
export class FileStart {
  readonly #window: InputWindow;
  readonly #options: CsvTransformOptions;
  readonly #windowBytes: number;
  #bomSkipped = false;
  #columns: readonly string[] | undefined;

  constructor(window: InputWindow, options: CsvTransformOptions, windowBytes: number) {
    this.#window = window;
    this.#options = options;
    this.#windowBytes = windowBytes;
  }

  /**
   * Reads on in the window. Gives the columns once the next byte is the first row's, undefined until then.
   * @throws CdrError `bad-header`
   */
  read(): readonly string[] | undefined {
    this.#bomSkipped ||= this.#skipBom();
    if (!this.#bomSkipped) return undefined;
    this.#columns ??= this.#readHeader();
    if (this.#columns === undefined) return undefined;
    return this.#skipIngested() ? this.#columns : undefined;
  }

  /** False while the bytes at hand may be the beginning of a BOM. */
  #skipBom(): boolean {
    const { data, position, end, ended } = this.#window;
    const beginning = data.subarray(position, Math.min(end, position + BOM.length));
    if (beginning.equals(BOM)) this.#window.finish(position + BOM.length);
    else if (!ended && beginning.equals(BOM.subarray(0, beginning.length))) return false;
    return true;
  }

  #readHeader(): readonly string[] | undefined {
    const window = this.#window;
    while (window.findLine()) {
      if (window.contentEnd > window.position) return this.#readHeaderRecord();
      window.finishLine();
    }
    if (window.pending > this.#windowBytes + 1) throw this.#headerTooLong(window.end);
    return undefined;
  }

  #readHeaderRecord(): readonly string[] | undefined {
    const window = this.#window;
    const { data, position, contentEnd, next } = window;
    if (contentEnd - position > this.#options.maxLineBytes) throw this.#headerTooLong(contentEnd);

    let record = { contentEnd, next };
    const line = data.subarray(position, contentEnd);
    if (line.includes(QUOTE)) {
      const quoted = findQuotedRecord(window, position, this.#options.maxLineBytes, this.#windowBytes);
      if (quoted === undefined) return undefined;
      if (quoted.kind === 'bad-quote') throw badHeader(quoteProblem(line, quoted.reason), line, this.#options);
      record = quoted;
    }
    const columns = parseHeader(data.subarray(position, record.contentEnd), this.#options);
    window.finish(record.next);
    return columns;
  }

  /** The boundary jumps from behind the header to startOffset, and stays behind the header should the file end before. */
  #skipIngested(): boolean {
    const window = this.#window;
    const startOffset = this.#options.startOffset ?? 0;
    if (window.byteOffset >= startOffset) return true;
    const missing = startOffset - window.offsetOf(window.position);
    if (missing > window.pending) {
      window.skip(window.end);
      return false;
    }
    window.finish(window.position + missing);
    return true;
  }

  #headerTooLong(shownEnd: number): Error {
    const { data, position } = this.#window;
    const problem = `is longer than ${this.#options.maxLineBytes} bytes`;
    return badHeader(problem, data.subarray(position, shownEnd), this.#options);
  }
}
