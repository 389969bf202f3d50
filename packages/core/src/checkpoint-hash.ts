import { createHash, type Hash } from 'node:crypto';

/**
 * SHA-256 of a file's beginning, up to a checkpoint that trails what was read: rows end where they end, not where chunks
 * do. Bytes between the checkpoint and the end of the last chunk are kept, unless they are known to be done with: a line
 * may be as long as the file.
 */
export class CheckpointHash {
  /** Of the bytes before `hashed`. */
  private readonly hash = createHash('sha256');
  private pending: Buffer[] = [];
  private hashed = 0;
  private checkpoint = 0;
  /** Where the hash was at the checkpoint, when it has gone on since. */
  private atCheckpoint: Hash | undefined;

  /** Takes the next chunk, which must stay as it is until the next `advanceTo`. */
  push(chunk: Buffer): void {
    if (chunk.length > 0) this.pending.push(chunk);
  }

  /** Moves the checkpoint to a byte offset of the file, within what was pushed and not before where it was. */
  advanceTo(byteOffset: number): void {
    if (byteOffset <= this.checkpoint) return;
    if (byteOffset < this.hashed) throw new RangeError(`byte offset ${byteOffset} is in what was done with`);
    this.hashTo(byteOffset);
    this.checkpoint = byteOffset;
    this.atCheckpoint = undefined;
  }

  /**
   * Copies what is kept, so that the chunks' buffers may be reused. The checkpoint will never be moved to a place between
   * where it is and `doneTo`.
   */
  keep(doneTo = 0): void {
    if (doneTo > this.hashed) {
      this.atCheckpoint ??= this.hash.copy();
      this.hashTo(doneTo);
    }
    if (this.pending.length > 0) this.pending = [Buffer.concat(this.pending)];
  }

  /** Hash of the bytes before the checkpoint, in hex. The hash goes on. */
  digest(): string {
    return (this.atCheckpoint ?? this.hash).copy().digest('hex');
  }

  private hashTo(byteOffset: number): void {
    let missing = byteOffset - this.hashed;
    while (missing > 0) {
      const chunk = this.pending[0];
      if (!chunk) throw new RangeError(`byte offset ${byteOffset} is beyond what was read`);
      const take = Math.min(missing, chunk.length);
      this.hash.update(take === chunk.length ? chunk : chunk.subarray(0, take));
      if (take === chunk.length) this.pending.shift();
      else this.pending[0] = chunk.subarray(take);
      missing -= take;
      this.hashed += take;
    }
  }
}
