import type { MessageBlock } from '@cdr/core/csv/csv-transform';
import { CdrError } from '@cdr/core/errors';
import type { LedgerRecord, OffsetRange } from '@cdr/core/ledger-record';
import { setTimeout as sleep } from 'node:timers/promises';
import { BufferPool } from './buffer-pool.ts';
import { compressorFor, type Compression, type Compressor } from './compression.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { partitionOfKey } from './murmur2.ts';
import { RecordBatch } from './record-batch.ts';
import type { TransactionalWriter, TransactionalWriters } from './transactional-writer.ts';
import { TransactionalProducer } from './transactional-producer.ts';
import type { TopicPartition } from './requests.ts';

export interface WriterSettings {
  readonly ledgerTopic: string;
  readonly compression: Compression;
  readonly transactionTimeoutMs: number;
  /** Below the 1 MiB that Kafka and Redpanda take by default, batch header included. */
  readonly batchMaxBytes?: number;
  readonly batchMaxRecords?: number;
  /** Bytes in sealed batches, per writer, above which `ready` waits. */
  readonly maxPendingBytes?: number;
}

const BATCH_MAX_BYTES = 900_000;
/** What the batches being filled may hold together, per writer: a topic of many partitions gets smaller batches. */
const FILLING_MAX_BYTES = 4 << 20;
const SMALLEST_BUFFER_BYTES = 64 << 10;
const LARGEST_BUFFER_BYTES = 1 << 20;
const BATCH_MAX_RECORDS = 20_000;
const MAX_PENDING_BYTES = 4 << 20;
const POOLED_BUFFERS = 24;
/** How long an abort waits for requests under way: a late produce must not reach the broker behind the abort. */
const SETTLE_MS = 5_000;

/** TransactionalWriters over one shared set of broker connections. */
export class BatchingWriters implements TransactionalWriters {
  private readonly cluster: KafkaCluster;
  private readonly settings: WriterSettings;
  private readonly pools = new BatchPools();

  constructor(cluster: KafkaCluster, settings: WriterSettings) {
    this.cluster = cluster;
    this.settings = settings;
  }

  async fence(transactionalId: string): Promise<TransactionalWriter> {
    const producer = await TransactionalProducer.fence(
      this.cluster,
      transactionalId,
      this.settings.transactionTimeoutMs,
    );
    return new BatchingWriter(this.cluster, producer, this.pools, this.settings);
  }
}

/** One pool a buffer size, shared by all writers of a process. */
class BatchPools {
  private readonly pools = new Map<number, BufferPool>();

  /** The pool for the batches of a topic with this many partitions. */
  forPartitions(count: number): BufferPool {
    let bytes = LARGEST_BUFFER_BYTES;
    while (bytes > SMALLEST_BUFFER_BYTES && bytes * count > FILLING_MAX_BYTES) bytes >>= 1;
    return this.ofSize(bytes);
  }

  forLedger(): BufferPool {
    return this.ofSize(SMALLEST_BUFFER_BYTES);
  }

  private ofSize(bytes: number): BufferPool {
    let pool = this.pools.get(bytes);
    if (!pool) this.pools.set(bytes, (pool = new BufferPool(bytes, POOLED_BUFFERS)));
    return pool;
  }
}

/** What one partition has under way: the batch being filled, and the chain of those on their way, one at a time. */
interface Lane {
  readonly target: TopicPartition;
  readonly pool: BufferPool;
  /** Whether this transaction has, or will have, anything for the partition. */
  used: boolean;
  filling: RecordBatch | undefined;
  sending: Promise<void>;
  first: bigint | undefined;
  last: bigint;
}

class BatchingWriter implements TransactionalWriter {
  private readonly cluster: KafkaCluster;
  private readonly producer: TransactionalProducer;
  private readonly pools: BatchPools;
  private readonly compressor: Compressor;
  private readonly noCompressor = compressorFor('none');
  private readonly ledgerTarget: TopicPartition;
  private readonly batchMaxBytes: number;
  private readonly batchMaxRecords: number;
  private readonly maxPendingBytes: number;
  private readonly lanes = new Map<string, Lane[]>();
  private readonly waiting: (() => void)[] = [];
  private pendingBytes = 0;
  private opening: Promise<void> | undefined;
  private failure: CdrError | undefined;
  openedAt: number | undefined;

  constructor(cluster: KafkaCluster, producer: TransactionalProducer, pools: BatchPools, settings: WriterSettings) {
    this.cluster = cluster;
    this.producer = producer;
    this.pools = pools;
    this.compressor = compressorFor(settings.compression);
    this.ledgerTarget = { topic: settings.ledgerTopic, partition: 0 };
    this.batchMaxBytes = settings.batchMaxBytes ?? BATCH_MAX_BYTES;
    this.batchMaxRecords = settings.batchMaxRecords ?? BATCH_MAX_RECORDS;
    this.maxPendingBytes = settings.maxPendingBytes ?? MAX_PENDING_BYTES;
  }

  get producerId(): string {
    return this.producer.identity.producerId.toString();
  }

  get epoch(): number {
    return this.producer.identity.epoch;
  }

  async prepare(topics: readonly string[]): Promise<void> {
    for (const topic of topics) {
      if (this.lanes.has(topic)) continue;
      const count = await this.cluster.partitionCount(topic);
      const pool = this.pools.forPartitions(count);
      this.lanes.set(
        topic,
        Array.from({ length: count }, (_, partition): Lane => {
          const target = { topic, partition };
          return {
            target,
            pool,
            used: false,
            filling: undefined,
            sending: Promise.resolve(),
            first: undefined,
            last: 0n,
          };
        }),
      );
    }
  }

  messages(topic: string, block: MessageBlock): void {
    const lanes = this.lanesOf(topic);
    const { bytes, valueEnds, keyBytes, keyStarts, keyEnds } = block;
    let valueStart = 0;
    for (let i = 0; i < block.count; i++) {
      const valueEnd = valueEnds[i] as number;
      const keyStart = keyStarts[i] as number;
      const keyEnd = keyEnds[i] as number;
      this.append(lanes, keyBytes, keyStart, keyEnd, bytes, valueStart, valueEnd);
      valueStart = valueEnd;
    }
  }

  message(topic: string, key: Buffer, value: Buffer): void {
    this.append(this.lanesOf(topic), key, 0, key.length, value, 0, value.length);
  }

  async ready(): Promise<void> {
    while (this.pendingBytes >= this.maxPendingBytes && !this.failure)
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    if (this.failure) throw this.failure;
  }

  async flush(): Promise<OffsetRange[]> {
    const all = this.allLanes();
    for (const lane of all) if (lane.filling) this.send(lane);
    await Promise.all(all.map((lane) => lane.sending));
    if (this.failure) throw this.failure;
    return all.flatMap(({ target, first, last }) =>
      first === undefined ? [] : [{ ...target, first: first.toString(), last: last.toString() }],
    );
  }

  async ledger(record: LedgerRecord): Promise<bigint> {
    const key = Buffer.from(record.file);
    const value = Buffer.from(JSON.stringify(record));
    const batch = new RecordBatch(this.pools.forLedger());
    batch.append(key, 0, key.length, value, 0, value.length);
    batch.seal(this.noCompressor);
    await this.open();
    return this.producer.produce(this.ledgerTarget, batch);
  }

  async commit(): Promise<{ retried: boolean }> {
    const result = await this.producer.commit();
    this.openedAt = undefined;
    this.opening = undefined;
    for (const lane of this.allLanes()) {
      lane.first = undefined;
      lane.used = false;
    }
    return result;
  }

  async abort(): Promise<void> {
    this.failure ??= new CdrError('fenced', 'this writer has aborted');
    const underWay = Promise.allSettled(this.allLanes().map((lane) => lane.sending));
    const giveUp = new AbortController();
    const settled = await Promise.race([
      underWay.then(() => true),
      sleep(SETTLE_MS, false, { signal: giveUp.signal }).catch(() => false),
    ]);
    giveUp.abort();
    if (settled) await this.producer.abort();
  }

  private allLanes(): Lane[] {
    return [...this.lanes.values()].flat();
  }

  private lanesOf(topic: string): Lane[] {
    const lanes = this.lanes.get(topic);
    if (!lanes) throw new Error(`topic ${topic} was not prepared`);
    return lanes;
  }

  private append(
    lanes: Lane[],
    keys: Buffer,
    keyStart: number,
    keyEnd: number,
    values: Buffer,
    valueStart: number,
    valueEnd: number,
  ): void {
    const lane = lanes[partitionOfKey(keys, keyStart, keyEnd, lanes.length)] as Lane;
    lane.used = true;
    let batch = (lane.filling ??= new RecordBatch(lane.pool));
    const full = batch.count >= this.batchMaxRecords || batch.bytes + (valueEnd - valueStart) > this.batchMaxBytes;
    if ((full && batch.count > 0) || !batch.append(keys, keyStart, keyEnd, values, valueStart, valueEnd)) {
      this.send(lane);
      batch = lane.filling = new RecordBatch(lane.pool);
      batch.append(keys, keyStart, keyEnd, values, valueStart, valueEnd);
    }
  }

  /** Puts the lane's batch behind those under way. What fails shows in `ready` and `flush`. */
  private send(lane: Lane): void {
    const batch = lane.filling;
    if (!batch) return;
    lane.filling = undefined;
    const bytes = batch.bytes;
    this.pendingBytes += bytes;
    lane.sending = lane.sending
      .then(() => this.sendNow(lane, batch))
      .finally(() => {
        this.pendingBytes -= bytes;
        for (const wake of this.waiting.splice(0)) wake();
      });
  }

  private async sendNow(lane: Lane, batch: RecordBatch): Promise<void> {
    if (this.failure) return;
    try {
      batch.seal(this.compressor);
      const count = batch.count;
      await this.open();
      await this.producer.addPartitions([lane.target]);
      const offset = await this.producer.produce(lane.target, batch);
      lane.first ??= offset;
      lane.last = offset + BigInt(count) - 1n;
    } catch (error) {
      this.failure ??=
        error instanceof CdrError ? error : new CdrError('unexpected', 'sending a batch', { cause: error });
    }
  }

  /** Begins the transaction, once: one request for every partition that has data by now, and the ledger's. */
  private open(): Promise<void> {
    this.opening ??= (async () => {
      const used = this.allLanes().filter((lane) => lane.used);
      this.openedAt = performance.now();
      await this.producer.addPartitions([...used.map((lane) => lane.target), this.ledgerTarget]);
    })();
    return this.opening;
  }
}
