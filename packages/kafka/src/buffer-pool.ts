/**
 * Keeps buffers of one size for reuse, so that a batch costs no allocation. A buffer whose send has failed must not come
 * back: the dead socket may still hold it.
 */
export class BufferPool {
  readonly bufferBytes: number;
  private readonly keepAtMost: number;
  private readonly free: Buffer[] = [];

  constructor(bufferBytes: number, keepAtMost: number) {
    this.bufferBytes = bufferBytes;
    this.keepAtMost = keepAtMost;
  }

  take(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(this.bufferBytes);
  }

  give(buffer: Buffer): void {
    if (buffer.length === this.bufferBytes && this.free.length < this.keepAtMost) this.free.push(buffer);
  }
}
