import { crc32c } from '@node-rs/crc32';
import type { BufferPool } from './buffer-pool.ts';
import type { Compressor } from './compression.ts';
import type { ProducerIdentity } from './requests.ts';

/** Bytes in front of the records. https://kafka.apache.org/documentation/#recordbatch */
export const BATCH_HEADER_BYTES = 61;
const TRANSACTIONAL = 0x10;
/** Lengths and deltas of one record take at most this much beside key and value. */
const RECORD_OVERHEAD_BYTES = 24;

/**
 * One RecordBatch (magic 2) under construction: records are written where they will be sent from. Every record has the
 * batch's own timestamp. Life: append..., seal, stamp once, send (the same bytes however often), release.
 */
export class RecordBatch {
  private buffer: Buffer;
  private end = BATCH_HEADER_BYTES;
  private sealed: Buffer | undefined;
  private codec = 0;
  private readonly pool: BufferPool;
  count = 0;

  constructor(pool: BufferPool) {
    this.pool = pool;
    this.buffer = pool.take();
  }

  /** Bytes so far, header included, before compression. */
  get bytes(): number {
    return this.end;
  }

  /**
   * Adds a record of keys[keyStart .. keyEnd) and values[valueStart .. valueEnd), copied. False when it does not fit, and
   * nothing was added; a record that is alone in its batch always fits.
   */
  append(
    keys: Buffer,
    keyStart: number,
    keyEnd: number,
    values: Buffer,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    const keyBytes = keyEnd - keyStart;
    const valueBytes = valueEnd - valueStart;
    if (this.end + keyBytes + valueBytes + RECORD_OVERHEAD_BYTES > this.buffer.length) {
      if (this.count > 0) return false;
      // larger than the pool's buffers: this one batch gets its own
      this.buffer = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES + keyBytes + valueBytes + RECORD_OVERHEAD_BYTES);
    }
    const buffer = this.buffer;
    const offsetDelta = zigzag(this.count);
    const keyLength = zigzag(keyBytes);
    const valueLength = zigzag(valueBytes);
    const body =
      3 + // attributes, timestamp delta 0, no headers
      varintBytes(offsetDelta) +
      varintBytes(keyLength) +
      keyBytes +
      varintBytes(valueLength) +
      valueBytes;
    let at = writeVarint(buffer, this.end, zigzag(body));
    buffer[at++] = 0; // attributes
    buffer[at++] = 0; // timestamp delta
    at = writeVarint(buffer, at, offsetDelta);
    at = writeVarint(buffer, at, keyLength);
    // keys are a dozen bytes: a loop is faster than a call into copy()
    for (let i = keyStart; i < keyEnd; i++) buffer[at++] = keys[i] as number;
    at = writeVarint(buffer, at, valueLength);
    values.copy(buffer, at, valueStart, valueEnd);
    at += valueBytes;
    buffer[at++] = 0; // headers
    this.end = at;
    this.count++;
    return true;
  }

  /** No more records: compresses them. */
  seal(compressor: Compressor): void {
    this.codec = compressor.codec;
    const records = this.buffer.subarray(BATCH_HEADER_BYTES, this.end);
    const packed = compressor.compress(records);
    if (packed === records) {
      this.sealed = this.buffer.subarray(0, this.end);
    } else if (packed.length <= records.length) {
      packed.copy(this.buffer, BATCH_HEADER_BYTES);
      this.sealed = this.buffer.subarray(0, BATCH_HEADER_BYTES + packed.length);
    } else {
      // compression made it larger: send it as it was
      this.codec = 0;
      this.sealed = this.buffer.subarray(0, this.end);
    }
  }

  /**
   * Writes the header for a transactional producer and returns the batch. Call once: a repeated send must carry the very
   * same bytes, or the broker could not tell that it is a repetition.
   */
  stamp({ producerId, epoch }: ProducerIdentity, baseSequence: number, nowMs: number): Buffer {
    const batch = this.sealed;
    if (!batch) throw new Error('stamp before seal');
    const timestamp = BigInt(nowMs);
    batch.writeBigInt64BE(0n, 0); // base offset: the broker's to set
    batch.writeInt32BE(batch.length - 12, 8);
    batch.writeInt32BE(-1, 12); // partition leader epoch: the broker's too
    batch[16] = 2; // magic
    batch.writeInt16BE(this.codec | TRANSACTIONAL, 21);
    batch.writeInt32BE(this.count - 1, 23); // last offset delta
    batch.writeBigInt64BE(timestamp, 27);
    batch.writeBigInt64BE(timestamp, 35);
    batch.writeBigInt64BE(producerId, 43);
    batch.writeInt16BE(epoch, 51);
    batch.writeInt32BE(baseSequence, 53);
    batch.writeInt32BE(this.count, 57);
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
    return batch;
  }

  /** The buffer goes back to the pool; the batch must not be used any more. Never after a failed send. */
  release(): void {
    this.pool.give(this.buffer);
    this.sealed = undefined;
  }
}

/** Lengths and deltas are never negative here, so ZigZag is a doubling. */
function zigzag(value: number): number {
  return value << 1;
}

function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

function writeVarint(buffer: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest >= 0x80) {
    buffer[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[at++] = rest;
  return at;
}
