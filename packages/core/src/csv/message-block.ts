import type { CsvSink, MessageBlock } from './csv-transform.ts';
import { UNCHECKED, type ColumnChecks } from './field-checks.ts';
import { METADATA_FIELDS } from './header.ts';
import { escapeJson, JSON_ESCAPES, MAX_ESCAPE_BYTES } from './json-escape.ts';

const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const QUOTE = 0x22;

/** Bytes of one block: it stays in the CPU's cache, and holds about as many messages as one record batch. */
const BLOCK_BYTES = 256 * 1024;
const BLOCK_MESSAGES = 4096;
/** Fragments and fields are written in words of four bytes, so a write may go beyond its end by three. */
const WORD_BYTES = 4;
const HIGH_BITS = 0x80808080 | 0;
/** In each byte. */
const ONES = 0x01010101;
const BEHIND_COMMA = 0x2d2d2d2d;
const BACKSLASHES = 0x5c5c5c5c;

/**
 * The high bit of each byte of a word that is a comma, a quote, a backslash or anything below a comma. Above the lowest
 * such byte there may be a bit too many, since a subtraction borrows from the next byte.
 */
function bytesToLookAt(word: number): number {
  const backslash = word ^ BACKSLASHES;
  return (((word - BEHIND_COMMA) & ~word) | ((backslash - ONES) & ~backslash)) & HIGH_BITS;
}

/** Index of the byte that has the lowest bit of all. */
function lowestByte(bits: number): number {
  return (31 - Math.clz32(bits & -bits)) >> 3;
}

/**
 * The messages that wait for the sink, as JSON in one reused buffer: `bytes` fills from the front with values and from
 * the back with those keys that do not stand literally in their value.
 *
 * A value is fragment 0, field 0, fragment 1, field 1, ... and the closing fragment, where fragment 0 carries the
 * metadata and each fragment the name of the field behind it.
 */
export class FilledBlock implements MessageBlock {
  count = 0;
  bytes: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  readonly valueEnds = new Int32Array(BLOCK_MESSAGES);
  readonly keyStarts = new Int32Array(BLOCK_MESSAGES);
  readonly keyEnds = new Int32Array(BLOCK_MESSAGES);

  readonly #sink: CsvSink;
  readonly #columns: readonly string[];
  readonly #checks: ColumnChecks;
  readonly #keyIndex: number;
  #view = new DataView(this.bytes.buffer);
  #input: Uint8Array | undefined;
  #inputView = this.#view;
  #used = 0;
  #keysFrom = BLOCK_BYTES;
  /** Fragment i is the first fragmentBytes[i] bytes of the words fragmentWords[firstWord[i] .. firstWord[i + 1]). */
  #fragmentWords = new Int32Array(0);
  readonly #firstWord: Int32Array;
  readonly #fragmentBytes: Int32Array;
  /** Bytes of a message whose fields are all empty, and a word to spare. */
  #fixedBytes = 0;

  constructor(columns: readonly string[], keyColumn: string, checks: ColumnChecks, sink: CsvSink) {
    this.#columns = columns;
    this.#checks = checks;
    this.#keyIndex = columns.indexOf(keyColumn);
    this.#sink = sink;
    this.#firstWord = new Int32Array(columns.length + 2);
    this.#fragmentBytes = new Int32Array(columns.length + 1);
  }

  get keyBytes(): Buffer {
    return this.bytes;
  }

  /** Metadata of the messages from here on. */
  setMetadata(sourceFile: string, timestamp: string, recordType: string): void {
    const values = [sourceFile, timestamp, recordType];
    const metadata = METADATA_FIELDS.map((name, i) => `"${name}":"${escapeJson(values[i] ?? '')}",`).join('');
    const names = this.#columns.map((column) => `"${escapeJson(column)}":"`);
    this.#setFragments([`{${metadata}${names[0] ?? ''}`, ...names.slice(1).map((name) => `",${name}`), '"}']);
  }

  /**
   * Appends the message of the unquoted record data[start .. end), in one pass and without a string. Returns false, with
   * nothing appended, when the record has a quote, another number of fields than the header, or a value that its column's
   * check refuses.
   */
  appendLine(data: Uint8Array, start: number, end: number): boolean {
    this.#reserve(end - start);
    const out = this.bytes;
    const view = this.#view;
    const input = this.#viewOf(data);
    const words = this.#fragmentWords;
    const firstWord = this.#firstWord;
    const fragmentBytes = this.#fragmentBytes;
    const keyIndex = this.#keyIndex;
    const lastField = fragmentBytes.length - 2;
    const checks = this.#checks;
    const kinds = checks.kinds;

    let at = this.#used;
    let field = 0;
    let fieldStart = 0; // in out
    let keyFrom = start; // in data
    let keyStart = 0; // in out
    let keyTo = -1;
    let keyEnd = 0;

    for (let word = 0, to = at; word < firstWord[1]!; word++, to += WORD_BYTES) view.setInt32(to, words[word]!, true);
    at += fragmentBytes[0]!;
    fieldStart = at;
    keyStart = at;
    checks.beginRow();

    for (let from = start; from < end; from++) {
      // whole words as long as nothing in them is looked at; what is copied beyond is written over
      while (from + WORD_BYTES <= end) {
        const word = input.getInt32(from, true);
        view.setInt32(at, word, true);
        const found = bytesToLookAt(word);
        const plain = found === 0 ? WORD_BYTES : lowestByte(found);
        from += plain;
        at += plain;
        if (found !== 0) break;
      }
      if (from === end) break;
      const byte = data[from]!;
      if (byte > COMMA && byte !== BACKSLASH) {
        out[at++] = byte;
      } else if (byte === COMMA) {
        if (field === lastField) return false;
        if (kinds[field] !== UNCHECKED && !checks.holds(field, out, fieldStart, at)) return false;
        if (field === keyIndex) {
          keyTo = from;
          keyEnd = at;
        }
        field++;
        const wordsEnd = firstWord[field + 1]!;
        for (let word = firstWord[field]!, to = at; word < wordsEnd; word++, to += WORD_BYTES) {
          view.setInt32(to, words[word]!, true);
        }
        at += fragmentBytes[field]!;
        fieldStart = at;
        if (field === keyIndex) {
          keyFrom = from + 1;
          keyStart = at;
        }
      } else {
        if (byte === QUOTE) return false;
        const escape = JSON_ESCAPES[byte];
        if (escape === undefined) {
          out[at++] = byte;
        } else {
          for (let i = 0; i < escape.length; i++) out[at++] = escape[i]!;
        }
      }
    }
    if (field !== lastField) return false;
    if (kinds[field] !== UNCHECKED && !checks.holds(field, out, fieldStart, at)) return false;
    if (keyTo === -1) {
      keyTo = end;
      keyEnd = at;
    }
    if (keyEnd - keyStart !== keyTo - keyFrom) {
      keyEnd = this.#keysFrom;
      keyStart = keyEnd - (keyTo - keyFrom);
      out.set(data.subarray(keyFrom, keyTo), keyStart);
      this.#keysFrom = keyStart;
    }
    this.#finish(this.#writeFragment(lastField + 1, at), keyStart, keyEnd);
    return true;
  }

  /**
   * Appends the message of a record that is decoded already. Returns false, with nothing appended, when it has a value that
   * its column's check refuses.
   * @param fields as many as there are columns
   * @param recordBytes length of the record in the file: what the fields can need follows from it
   */
  appendFields(fields: readonly string[], recordBytes: number): boolean {
    this.#reserve(recordBytes);
    const checks = this.#checks;
    let at = this.#used;
    checks.beginRow();
    for (const [index, field] of fields.entries()) {
      const start = this.#writeFragment(index, at);
      at = start + this.bytes.write(escapeJson(field), start, 'utf8');
      if (checks.kinds[index] !== UNCHECKED && !checks.holds(index, this.bytes, start, at)) return false;
    }
    at = this.#writeFragment(fields.length, at);

    const key = fields[this.#keyIndex] ?? '';
    const keyEnd = this.#keysFrom;
    this.#keysFrom -= Buffer.byteLength(key, 'utf8');
    this.bytes.write(key, this.#keysFrom, 'utf8');
    this.#finish(at, this.#keysFrom, keyEnd);
    return true;
  }

  /** Bytes of the value and the key that were appended last. */
  get lastMessageBytes(): number {
    const last = this.count - 1;
    const valueStart = last > 0 ? this.valueEnds[last - 1]! : 0;
    return this.valueEnds[last]! - valueStart + this.keyEnds[last]! - this.keyStarts[last]!;
  }

  /** Takes back what was appended last. */
  dropLast(): void {
    this.#checks.uncountRow();
    this.count--;
    this.#used = this.count > 0 ? this.valueEnds[this.count - 1]! : 0;
  }

  /** Hands what waits to the sink. */
  flush(): void {
    if (this.count > 0) this.#sink.messages(this);
    this.count = 0;
    this.#used = 0;
    this.#keysFrom = this.bytes.length;
  }

  /** Input comes in the same buffer again and again. */
  #viewOf(data: Uint8Array): DataView {
    if (data !== this.#input) {
      this.#input = data;
      this.#inputView = new DataView(data.buffer, data.byteOffset, data.byteLength);
    }
    return this.#inputView;
  }

  /** Makes sure that a record of this length fits, whatever JSON makes of it, and its key once more. */
  #reserve(recordBytes: number): void {
    const needed = this.#fixedBytes + recordBytes * (MAX_ESCAPE_BYTES + 1);
    if (this.count < BLOCK_MESSAGES && this.#used + needed <= this.#keysFrom) return;
    this.flush();
    if (needed <= this.bytes.length) return;
    this.bytes = Buffer.allocUnsafeSlow(needed);
    this.#view = new DataView(this.bytes.buffer);
    this.#keysFrom = needed;
  }

  #finish(valueEnd: number, keyStart: number, keyEnd: number): void {
    this.valueEnds[this.count] = valueEnd;
    this.keyStarts[this.count] = keyStart;
    this.keyEnds[this.count] = keyEnd;
    this.count++;
    this.#used = valueEnd;
    this.#checks.countRow();
  }

  #writeFragment(index: number, at: number): number {
    for (let word = this.#firstWord[index]!, to = at; word < this.#firstWord[index + 1]!; word++, to += WORD_BYTES) {
      this.#view.setInt32(to, this.#fragmentWords[word]!, true);
    }
    return at + this.#fragmentBytes[index]!;
  }

  #setFragments(texts: readonly string[]): void {
    const fragments = texts.map((text) => Buffer.from(text, 'utf8'));
    let wordCount = 0;
    for (const [index, fragment] of fragments.entries()) {
      this.#firstWord[index] = wordCount;
      this.#fragmentBytes[index] = fragment.length;
      wordCount += Math.ceil(fragment.length / WORD_BYTES);
    }
    this.#firstWord[fragments.length] = wordCount;

    const padded = Buffer.alloc(wordCount * WORD_BYTES);
    for (const [index, fragment] of fragments.entries()) fragment.copy(padded, this.#firstWord[index]! * WORD_BYTES);
    this.#fragmentWords = Int32Array.from({ length: wordCount }, (_, word) => padded.readInt32LE(word * WORD_BYTES));
    this.#fixedBytes = WORD_BYTES + fragments.reduce((sum, fragment) => sum + fragment.length, 0);
  }
}
