/** The header of one batch in a fetched log, and where its records are. */
export interface FetchedBatch {
  readonly baseOffset: bigint;
  /** Offset of its last record; kept by compaction even when that record is gone. */
  readonly lastOffset: bigint;
  readonly producerId: bigint;
  readonly epoch: number;
  readonly transactional: boolean;
  /** A transaction marker instead of records. */
  readonly control: boolean;
  readonly codec: number;
  /** Records still in the batch. */
  readonly count: number;
  /** Records, compressed when codec is not 0. */
  readonly payload: Buffer;
}

export interface FetchedRecord {
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

const HEADER_BYTES = 61;
const LENGTH_FIELD_END = 12;

/** Splits what a Fetch answered into batches. The last one may be cut short by the size limit: it is left out. */
export function* readBatches(records: Buffer): Generator<FetchedBatch> {
  let at = 0;
  while (at + HEADER_BYTES <= records.length) {
    const end = at + LENGTH_FIELD_END + records.readInt32BE(at + 8);
    if (end > records.length) return;
    const magic = records[at + 16];
    if (magic !== 2) throw new Error(`record batch of magic ${magic}; this reads magic 2`);
    const baseOffset = records.readBigInt64BE(at);
    const attributes = records.readInt16BE(at + 21);
    yield {
      baseOffset,
      lastOffset: baseOffset + BigInt(records.readInt32BE(at + 23)),
      producerId: records.readBigInt64BE(at + 43),
      epoch: records.readInt16BE(at + 51),
      transactional: (attributes & 0x10) !== 0,
      control: (attributes & 0x20) !== 0,
      codec: attributes & 0x07,
      count: records.readInt32BE(at + 57),
      payload: records.subarray(at + HEADER_BYTES, end),
    };
    at = end;
  }
}

/** The records of an uncompressed batch. */
export function* readRecords(batch: FetchedBatch): Generator<FetchedRecord> {
  if (batch.codec !== 0) throw new Error(`record batch at offset ${batch.baseOffset} is compressed`);
  const bytes = batch.payload;
  let at = 0;
  const tooShort = (): Error => new Error(`record batch at offset ${batch.baseOffset} ends within a record`);
  const varint = (): number => {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined) throw tooShort();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      factor *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  };
  const slice = (): Buffer | null => {
    const length = varint();
    if (length < 0) return null;
    at += length;
    if (at > bytes.length) throw tooShort();
    return bytes.subarray(at - length, at);
  };
  for (let i = 0; i < batch.count; i++) {
    const length = varint();
    const end = at + length;
    at += 1; // attributes
    varint(); // timestamp delta
    const offset = batch.baseOffset + BigInt(varint());
    yield { offset, key: slice(), value: slice() };
    at = end; // past the headers
  }
}

/** What a control batch says about its producer's transaction. */
export function readMarker(batch: FetchedBatch): 'commit' | 'abort' | 'other' {
  for (const { key } of readRecords(batch)) {
    const type = key && key.length >= 4 ? key.readInt16BE(2) : -1;
    return type === 1 ? 'commit' : type === 0 ? 'abort' : 'other';
  }
  // compaction may empty a control batch; what it decided is in the records that are left
  return 'other';
}
