const LF = 0x0a;
const CR = 0x0d;

const INITIAL_CAPACITY = 64 * 1024;

/**
 * The bytes of the file that are not finished yet, in one buffer of our own: what the last push left over, then the
 * pushed chunk. Copying a chunk costs 0.01-0.02 s per million rows and spares us a second path for the record that lies
 * across two chunks, and the caller any rule about when its buffer is free again.
 */
export class InputWindow {
  /** The bytes at hand are data[position .. end); what lies outside of that is stale. */
  data: Buffer = Buffer.allocUnsafeSlow(INITIAL_CAPACITY);
  position = 0;
  end = 0;
  /** No more bytes will be appended. */
  ended = false;
  /** Set by findLine: the line's bytes are data[position .. contentEnd), what follows it starts at `next`. */
  contentEnd = 0;
  next = 0;
  /** Where in the file the last finished thing ended, and which physical line is there. */
  byteOffset = 0;
  line = 1;
  /** File offset of data[0]. */
  #base = 0;
  /** LFs that were skipped since the last finish. */
  #skippedLines = 0;

  get pending(): number {
    return this.end - this.position;
  }

  /** File offset of an index into `data`. */
  offsetOf(index: number): number {
    return this.#base + index;
  }

  append(chunk: Uint8Array): void {
    if (this.end + chunk.length > this.data.length) this.#makeRoom(chunk.length);
    this.data.set(chunk, this.end);
    this.end += chunk.length;
  }

  /**
   * Finds the physical line at `position` and sets contentEnd and next; false when its end is not here yet. At the end of
   * the file a last line needs no LF, and a CR there is taken for the first half of a CRLF that was cut.
   */
  findLine(): boolean {
    let lineEnd = this.data.indexOf(LF, this.position);
    if (lineEnd === -1 || lineEnd >= this.end) {
      if (!this.ended || this.position === this.end) return false;
      lineEnd = this.end;
      this.next = lineEnd;
    } else {
      this.next = lineEnd + 1;
    }
    this.contentEnd = lineEnd > this.position && this.data[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
    return true;
  }

  /** Finishes the line that findLine found. */
  finishLine(): void {
    if (this.data[this.next - 1] === LF) this.line++;
    this.position = this.next;
    this.byteOffset = this.#base + this.next;
  }

  /** Finishes everything up to an index, however many lines that is: the boundary moves there. */
  finish(to: number): void {
    this.skip(to);
    this.line += this.#skippedLines;
    this.#skippedLines = 0;
    this.byteOffset = this.#base + to;
  }

  /** Lets go of the bytes up to an index; the boundary stays where it is until something is finished. */
  skip(to: number): void {
    for (let at = this.data.indexOf(LF, this.position); at !== -1 && at < to; at = this.data.indexOf(LF, at + 1)) {
      this.#skippedLines++;
    }
    this.position = to;
  }

  /** Index behind the last whole line: up to there, no multi-byte character is cut. */
  wholeLinesEnd(): number {
    if (this.ended || this.end === 0) return this.end;
    return Math.max(this.data.lastIndexOf(LF, this.end - 1) + 1, this.position);
  }

  #makeRoom(needed: number): void {
    const kept = this.pending;
    const target =
      kept + needed <= this.data.length ? this.data : Buffer.allocUnsafeSlow(Math.ceil((kept + needed) * 1.5));
    this.data.copy(target, 0, this.position, this.end);
    this.data = target;
    this.#base += this.position;
    this.position = 0;
    this.end = kept;
  }
}
