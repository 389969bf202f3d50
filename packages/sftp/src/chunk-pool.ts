/**
 * Keeps read buffers of one size for the next file. A buffer whose READ may still be answered must not come back: the
 * answer would be written into another file's bytes.
 */
export class ChunkPool {
  readonly chunkBytes: number;
  private readonly keepAtMost: number;
  private readonly free: Buffer[] = [];

  constructor(chunkBytes: number, keepAtMost: number) {
    this.chunkBytes = chunkBytes;
    this.keepAtMost = keepAtMost;
  }

  /** A buffer of exactly `bytes`: one of the pool when that is a whole chunk, else a new one. Its content is old bytes. */
  take(bytes: number): Buffer {
    if (bytes === this.chunkBytes) return this.free.pop() ?? Buffer.allocUnsafeSlow(bytes);
    return Buffer.allocUnsafeSlow(bytes);
  }

  /** Takes whole chunks back, as many as it is to keep. */
  give(buffer: Buffer): void {
    if (buffer.length === this.chunkBytes && this.free.length < this.keepAtMost) this.free.push(buffer);
  }
}
