/**
 * The primitive types of the Kafka protocol: big endian, classic lengths, and the compact ones for the one request that
 * exists with no others. https://kafka.apache.org/protocol#protocol_types
 */
export class WireWriter {
  private bytes: Buffer;
  private at = 0;

  constructor(sizeHint = 256) {
    this.bytes = Buffer.allocUnsafe(sizeHint);
  }

  /** What was written so far, without copying. */
  finish(): Buffer {
    return this.bytes.subarray(0, this.at);
  }

  int8(value: number): this {
    this.reserve(1);
    this.at = this.bytes.writeInt8(value, this.at);
    return this;
  }

  int16(value: number): this {
    this.reserve(2);
    this.at = this.bytes.writeInt16BE(value, this.at);
    return this;
  }

  int32(value: number): this {
    this.reserve(4);
    this.at = this.bytes.writeInt32BE(value, this.at);
    return this;
  }

  int64(value: bigint): this {
    this.reserve(8);
    this.at = this.bytes.writeBigInt64BE(value, this.at);
    return this;
  }

  string(value: string): this {
    const length = Buffer.byteLength(value);
    this.int16(length);
    this.reserve(length);
    this.at += this.bytes.write(value, this.at, 'utf8');
    return this;
  }

  bytesWithLength(value: Uint8Array): this {
    return this.int32(value.length).raw(value);
  }

  /** Bytes without a length. */
  raw(value: Uint8Array): this {
    this.reserve(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
    return this;
  }

  unsignedVarint(value: number): this {
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) this.int8((rest & 0x7f) - 0x80);
    return this.int8(rest);
  }

  compactString(value: string): this {
    const bytes = Buffer.from(value);
    return this.unsignedVarint(bytes.length + 1).raw(bytes);
  }

  array<T>(items: readonly T[], write: (writer: this, item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(this, item);
    return this;
  }

  private reserve(length: number): void {
    if (this.at + length <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + length));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }
}

/** Reads what WireWriter writes. Throws RangeError when the bytes end too early. */
export class WireReader {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  int16(): number {
    const value = this.bytes.readInt16BE(this.at);
    this.at += 2;
    return value;
  }

  int32(): number {
    const value = this.bytes.readInt32BE(this.at);
    this.at += 4;
    return value;
  }

  int64(): bigint {
    const value = this.bytes.readBigInt64BE(this.at);
    this.at += 8;
    return value;
  }

  /** A string; a null string is empty here, since nothing that we read tells them apart. */
  string(): string {
    const length = this.int16();
    return this.take(Math.max(0, length)).toString('utf8');
  }

  /** A view of the next bytes; a null value is empty. */
  bytesWithLength(): Buffer {
    return this.take(Math.max(0, this.int32()));
  }

  /** Bytes without a length. */
  raw(length: number): Buffer {
    return this.take(length);
  }

  unsignedVarint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.take(1).readUInt8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  /** A compact string; a null string is empty here. */
  compactString(): string {
    return this.take(Math.max(0, this.unsignedVarint() - 1)).toString('utf8');
  }

  array<T>(read: (reader: this) => T): T[] {
    const count = this.int32();
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(read(this));
    return items;
  }

  private take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.bytes.length) throw new RangeError(`${length} bytes at ${this.at} of ${this.bytes.length}`);
    const value = this.bytes.subarray(this.at, end);
    this.at = end;
    return value;
  }
}
