import type { LedgerRecord } from '@cdr/core/ledger-record';
import { toCdrError } from '../kafka-errors.ts';
import type { LogSource } from '../ledger-reader.ts';
import type { Call, TopicPartition } from '../requests.ts';
import { WireReader, WireWriter } from '../wire.ts';
import { logBatchBytes, markerBytes } from './log-batch.ts';

interface StoredBatch {
  readonly base: number;
  readonly last: number;
  readonly producerId: bigint;
  readonly kind: 'records' | 'commit' | 'abort';
  readonly transactional: boolean;
  bytes: Buffer | undefined;
}

interface Transaction {
  readonly producerId: bigint;
  readonly first: number;
  /** Offset of its marker; undefined while it is open. */
  marker?: number;
  committed?: boolean;
}

/**
 * One partition of a log in memory, which answers Fetch as a broker does: up to the high watermark or the last stable
 * offset, with the aborted transactions that overlap the answer in no order, the last batch cut short where the size
 * limit falls. Takes requests and gives answers as bytes.
 */
export class LedgerLog implements LogSource {
  /** Where a Fetch answer is cut; the first batch is always whole. */
  answerMaxBytes = Number.MAX_SAFE_INTEGER;
  /** Below the end of the log while replicas are behind. */
  highWatermark: number | undefined;
  startOffset = 0;
  /** A broker that answers read_committed with records beyond the last stable offset, too. */
  ignoresIsolation = false;
  /** Called before each Fetch, with its number from 1. */
  onFetch: (count: number) => void = () => undefined;
  readonly fetches: { readonly offset: number; readonly committed: boolean }[] = [];
  private readonly batches: StoredBatch[] = [];
  private readonly transactions: Transaction[] = [];
  private next = 0;

  get end(): number {
    return this.next;
  }

  /** A record in the producer's open transaction, which begins with it if there is none. Returns its offset. */
  append(producerId: number, record: LedgerRecord | { readonly file: string; readonly text: string | null }): number {
    const id = BigInt(producerId);
    if (!this.open(id)) this.transactions.push({ producerId: id, first: this.next });
    return this.store([record], id, true);
  }

  /** Records in one batch outside of any transaction. Returns the first's offset. */
  appendPlain(...records: LedgerRecord[]): number {
    return this.store(records, -1n, false);
  }

  commit(producerId: number): number {
    return this.decide(BigInt(producerId), 'commit');
  }

  abort(producerId: number): number {
    return this.decide(BigInt(producerId), 'abort');
  }

  /** Offsets that compaction has left nothing of. */
  hole(offsets: number): void {
    this.next += offsets;
  }

  /** A marker that belongs to no record of this log: compaction took them, or its transaction wrote elsewhere. */
  strayMarker(producerId: number, type: 'commit' | 'abort' | 'empty' | number): number {
    const base = this.next++;
    const id = BigInt(producerId);
    const bytes = markerBytes(base, id, 0, type);
    this.batches.push({ base, last: base, producerId: id, kind: 'commit', transactional: true, bytes });
    return base;
  }

  /** Compaction: the batch at an offset goes, or stays without records. */
  compact(offset: number, leave: 'nothing' | 'empty-batch'): void {
    const batch = this.batches.find(({ base }) => base === offset);
    if (!batch) throw new RangeError(`no batch begins at ${offset}`);
    batch.bytes =
      leave === 'nothing'
        ? undefined
        : logBatchBytes({
            baseOffset: batch.base,
            lastOffsetDelta: batch.last - batch.base,
            producerId: batch.producerId,
            epoch: 0,
            transactional: batch.transactional,
            control: batch.kind !== 'records',
            records: [],
          });
  }

  get lastStableOffset(): number {
    const highWatermark = this.highWatermark ?? this.next;
    const undecided = this.transactions.filter(({ marker }) => marker === undefined || marker >= highWatermark);
    return Math.min(highWatermark, ...undecided.map(({ first }) => first));
  }

  async askLeader<Answer>(_target: TopicPartition, call: Call<Answer>): Promise<Answer> {
    if (call.apiName !== 'Fetch') throw new Error(`no answer to ${call.apiName}`);
    try {
      return call.read(this.fetch(call.body));
    } catch (error) {
      throw error instanceof Error ? toCdrError(call.apiName, error) : error;
    }
  }

  async earliestOffset(): Promise<bigint> {
    return BigInt(this.startOffset);
  }

  /** Of the topic; undefined as Redpanda gives none. */
  id: string | undefined;

  async topicId(): Promise<string | undefined> {
    return this.id;
  }

  private fetch(request: Buffer): Buffer {
    const committed = request.readInt8(16) === 1;
    const reader = new WireReader(request.subarray(17));
    reader.int32();
    reader.string();
    reader.int32();
    reader.int32();
    const offset = Number(reader.int64());
    this.fetches.push({ offset, committed });
    this.onFetch(this.fetches.length);
    const outOfRange = offset > this.next || offset < this.startOffset;
    const end = committed && !this.ignoresIsolation ? this.lastStableOffset : (this.highWatermark ?? this.next);
    const visible = outOfRange
      ? []
      : this.batches.filter(({ base, last, bytes }) => bytes && last >= offset && base < end);
    const cut = Math.max(this.answerMaxBytes, visible[0]?.bytes?.length ?? 0);
    const records = Buffer.concat(visible.flatMap(({ bytes }) => bytes ?? [])).subarray(0, cut);
    const behind = endOfWhole(visible, records.length);
    const aborted = committed
      ? this.transactions
          .filter((it) => it.marker !== undefined && !it.committed && it.marker >= offset && it.first < behind)
          .sort((a, b) => ((a.first * 7919) % 13) - ((b.first * 7919) % 13))
      : [];
    const answer = new WireWriter()
      .int32(0)
      .int32(1)
      .string('cdr-ledger')
      .int32(1)
      .int32(0)
      .int16(outOfRange ? 1 : 0)
      .int64(BigInt(outOfRange ? -1 : (this.highWatermark ?? this.next)))
      .int64(BigInt(outOfRange ? -1 : this.lastStableOffset))
      .int64(BigInt(this.startOffset));
    if (committed)
      answer.array(aborted, (writer, { producerId, first }) => writer.int64(producerId).int64(BigInt(first)));
    else answer.int32(-1);
    return answer.bytesWithLength(records).finish();
  }

  private open(producerId: bigint): Transaction | undefined {
    return this.transactions.find(
      (transaction) => transaction.producerId === producerId && transaction.marker === undefined,
    );
  }

  private store(
    records: readonly (LedgerRecord | { readonly file: string; readonly text: string | null })[],
    producerId: bigint,
    transactional: boolean,
  ): number {
    const base = this.next;
    this.next += records.length;
    const bytes = logBatchBytes({
      baseOffset: base,
      lastOffsetDelta: records.length - 1,
      producerId,
      epoch: 0,
      transactional,
      control: false,
      records: records.map((record, offsetDelta) => {
        const text = 'text' in record ? record.text : JSON.stringify(record);
        return { offsetDelta, key: Buffer.from(record.file), value: text === null ? null : Buffer.from(text) };
      }),
    });
    this.batches.push({ base, last: this.next - 1, producerId, kind: 'records', transactional, bytes });
    return base;
  }

  private decide(producerId: bigint, kind: 'commit' | 'abort'): number {
    const transaction = this.open(producerId);
    if (!transaction) throw new Error(`producer ${producerId} has no open transaction`);
    const base = this.next++;
    transaction.marker = base;
    transaction.committed = kind === 'commit';
    const bytes = markerBytes(base, producerId, 0, kind);
    this.batches.push({ base, last: base, producerId, kind, transactional: true, bytes });
    return base;
  }
}

/** The offset behind the batches that fit whole into an answer. */
function endOfWhole(batches: readonly StoredBatch[], bytes: number): number {
  let left = bytes;
  let end = 0;
  for (const batch of batches) {
    left -= batch.bytes?.length ?? 0;
    if (left < 0) break;
    end = batch.last + 1;
  }
  return end;
}
