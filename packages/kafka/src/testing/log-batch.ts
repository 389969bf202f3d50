/** A record of a log, at an offset relative to its batch. */
export interface LogRecord {
  readonly offsetDelta: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: readonly (readonly [string, string])[];
}

export interface LogBatch {
  readonly baseOffset: number;
  /** Of the batch, also where compaction has removed its last records. */
  readonly lastOffsetDelta: number;
  readonly producerId: bigint;
  readonly epoch: number;
  readonly transactional: boolean;
  readonly control: boolean;
  readonly records: readonly LogRecord[];
}

/**
 * Bytes of a RecordBatch, written field by field from https://kafka.apache.org/documentation/#recordbatch and not by the
 * code under test. The checksum is left out: nobody reads it here.
 */
export function logBatchBytes(batch: LogBatch): Buffer {
  const records = Buffer.concat(batch.records.map(recordBytes));
  const header = Buffer.alloc(61);
  header.writeBigInt64BE(BigInt(batch.baseOffset), 0);
  header.writeInt32BE(header.length - 12 + records.length, 8);
  header.writeInt32BE(0, 12);
  header.writeInt8(2, 16);
  header.writeInt16BE((batch.transactional ? 0x10 : 0) | (batch.control ? 0x20 : 0), 21);
  header.writeInt32BE(batch.lastOffsetDelta, 23);
  header.writeBigInt64BE(1_733_583_600_000n, 27);
  header.writeBigInt64BE(1_733_583_600_000n, 35);
  header.writeBigInt64BE(batch.producerId, 43);
  header.writeInt16BE(batch.epoch, 51);
  header.writeInt32BE(batch.control ? -1 : 0, 53);
  header.writeInt32BE(batch.records.length, 57);
  return Buffer.concat([header, records]);
}

/** A transaction's COMMIT or ABORT marker. https://kafka.apache.org/documentation/#controlbatch */
export function markerBytes(
  baseOffset: number,
  producerId: bigint,
  epoch: number,
  type: 'commit' | 'abort' | 'empty' | number,
): Buffer {
  const number = typeof type === 'number' ? type : type === 'commit' ? 1 : 0;
  const key = Buffer.alloc(4);
  key.writeInt16BE(number, 2);
  const records = type === 'empty' ? [] : [{ offsetDelta: 0, key, value: Buffer.alloc(6) }];
  return logBatchBytes({
    baseOffset,
    lastOffsetDelta: 0,
    producerId,
    epoch,
    transactional: true,
    control: true,
    records,
  });
}

function recordBytes({ offsetDelta, key, value, headers = [] }: LogRecord): Buffer {
  const body = Buffer.concat([
    Buffer.from([0]), // attributes
    varint(7), // timestamp delta
    varint(offsetDelta),
    nullable(key),
    nullable(value),
    varint(headers.length),
    ...headers.flatMap(([name, text]) => [nullable(Buffer.from(name)), nullable(Buffer.from(text))]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function nullable(bytes: Buffer | null): Buffer {
  return bytes ? Buffer.concat([varint(bytes.length), bytes]) : varint(-1);
}

/** ZigZag, then seven bits a byte, lowest first. */
function varint(value: number): Buffer {
  let rest = value < 0 ? BigInt(value) * -2n - 1n : BigInt(value) * 2n;
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
