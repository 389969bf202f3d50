import { setTimeout as sleep } from 'node:timers/promises';
import { CdrError, errorCodeOf } from '@cdr/core/errors';
import { parseLedgerRecord, type LedgerEntry, type LedgerText } from '@cdr/core/ledger-record';
import { AbortedFilter } from './aborted-filter.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { BrokerError, OFFSET_OUT_OF_RANGE } from './kafka-errors.ts';
import { readBatches, readMarker, readRecords, type FetchedBatch } from './record-batch-reader.ts';
import { fetchPartition, listOffset, type FetchedPartition, type TopicPartition } from './requests.ts';

/** A record of the ledger that is not ours to understand: reported, and never overwritten blindly. */
export interface UnreadableRecord {
  readonly file: string;
  readonly offset: bigint;
  readonly problem: string;
}

/** Records of one file whose transaction was not decided within what was read, by producer id. */
export type Undecided = ReadonlyMap<bigint, LedgerEntry | UnreadableRecord>;

/** What the ledger's tail says about one file. */
export interface TailAnswer {
  /** The newest committed record of the file in what was read. */
  readonly entry: LedgerEntry | undefined;
  /** The high watermark of the first answer: everything below it was read. */
  readonly barrier: bigint;
  /** For meetYourself: a marker behind the barrier may still decide these. */
  readonly undecided: Undecided;
}

/** A stretch of the ledger in which every transaction is decided. */
export interface LedgerStretch {
  readonly entries: readonly LedgerEntry[];
  readonly unreadable: readonly UnreadableRecord[];
  /** Offset behind the stretch, never beyond the last stable offset. */
  readonly position: bigint;
  /** How far the log is decided at the time of reading: for progress. */
  readonly lastStableOffset: bigint;
}

/** The same stretch, with each of its records. */
export interface TextStretch {
  readonly texts: readonly LedgerText[];
  readonly position: bigint;
  readonly lastStableOffset: bigint;
}

/** What the reader needs of the cluster. */
export type LogSource = Pick<KafkaCluster, 'askLeader' | 'earliestOffset' | 'topicId'>;

const MAX_BYTES = 4 << 20;
const DEADLINE_MS = 30_000;
/** For so long a leader may not know how far the log goes: it has only begun to lead, or does no longer. */
const LEADER_LEARNS_MS = 5_000;
/** For so long the topic is taken for the one that it was: too short to delete, create and fill one. */
const SAME_TOPIC_FOR_MS = 5_000;

/**
 * Reads the ledger topic's one partition. kafkajs's consumer is not used: it shows aborted records. A plain read_committed
 * read is not used either: another file's open transaction holds the last stable offset below our predecessor's record.
 */
export class LedgerReader {
  private readonly cluster: LogSource;
  private readonly target: TopicPartition;
  private readonly leaderLearnsMs: number;
  private identity: { readonly asked: Promise<string | undefined>; readonly at: number } | undefined;

  constructor(cluster: LogSource, topic: string, leaderLearnsMs = LEADER_LEARNS_MS) {
    this.cluster = cluster;
    this.target = { topic, partition: 0 };
    this.leaderLearnsMs = leaderLearnsMs;
  }

  /**
   * The newest committed record of a file from offset `from` up to the high watermark. Call after the fence of the
   * file's id, which decides every earlier transaction of it, so that its marker is below the high watermark; a record at
   * or above the last stable offset counts only if its own COMMIT marker follows.
   * Throws `ledger-moved` when `from` is not within the log, `bad-ledger-record` when the file's newest is unreadable.
   */
  async readTail(file: string, from: bigint): Promise<TailAnswer> {
    const key = Buffer.from(file);
    const search = new TailSearch(key, new Map());
    let at = from;
    let barrier: bigint | undefined;
    let stable = 0n;
    while (barrier === undefined || at < barrier) {
      const committed = barrier === undefined || at < stable;
      const isolation = committed ? 'read_committed' : 'read_uncommitted';
      const part = await this.fetchReached(at, isolation, barrier ?? at);
      if (barrier === undefined) {
        barrier = part.highWatermark;
        stable = part.lastStableOffset;
      }
      const next = search.read(part, at, committed ? stable : 0n);
      if (next > at) at = next;
      else if (committed)
        // below the last stable offset nothing is left (compacted away); from there on, read what is not decided yet
        at = at < stable ? stable : at;
      else break;
    }
    return { entry: search.result(), barrier, undecided: search.undecided };
  }

  /**
   * Reads on from the barrier of readTail until our own record at `ownOffset`. Returns normally when nothing of this file
   * was decided in between; throws `ledger-moved` otherwise: the tail was an old story, told by a deposed leader.
   */
  async meetYourself(
    file: string,
    from: bigint,
    undecided: Undecided,
    own: { offset: bigint; producerId: string; epoch: number },
  ): Promise<void> {
    const search = new TailSearch(Buffer.from(file), new Map(undecided));
    let at = from;
    while (at <= own.offset) {
      const part = await this.fetch(at, 'read_uncommitted');
      const next = search.read(part, at, 0n);
      if (next <= at) throw this.moved(`our own record at ${own.offset} is not there`);
      at = next;
    }
    if (search.newest) throw this.moved('another attempt at this file was decided meanwhile');
    const mine = search.undecided.get(BigInt(own.producerId));
    if (mine?.offset !== own.offset) throw this.moved(`the record at ${own.offset} is not our own`);
  }

  /** Decided records of all files from an offset on, in stretches, up to the last stable offset. */
  async *readCommitted(from: bigint): AsyncGenerator<LedgerStretch> {
    for await (const { texts, ...rest } of this.readTexts(from)) yield { ...newestOf(texts), ...rest };
  }

  /** The same records, each of them, for whoever has no need to understand them. */
  async *readTexts(from: bigint): AsyncGenerator<TextStretch> {
    let at = from;
    for (;;) {
      const part = await this.fetchReached(at, 'read_committed');
      const stretch = readStretch(part, at);
      if (stretch.position <= at) {
        // nothing visible is left below the last stable offset
        if (part.lastStableOffset > at)
          yield { texts: [], position: part.lastStableOffset, lastStableOffset: part.lastStableOffset };
        return;
      }
      yield stretch;
      at = stretch.position;
    }
  }

  /** The topic's id, a few seconds old at most; undefined where the brokers give none. */
  async topicId(): Promise<string | undefined> {
    const now = performance.now();
    if (!this.identity || now - this.identity.at > SAME_TOPIC_FOR_MS) {
      const asked = this.cluster.topicId(this.target.topic);
      const identity = { asked, at: now };
      this.identity = identity;
      asked.catch(() => {
        if (this.identity === identity) this.identity = undefined;
      });
    }
    return this.identity.asked;
  }

  /** First offset of the log: where a rebuild begins. */
  async start(): Promise<bigint> {
    return this.cluster.earliestOffset(this.target);
  }

  /** The last stable offset: how far readCommitted gets now. */
  async stableEnd(): Promise<bigint> {
    return this.cluster.askLeader(this.target, listOffset(this.target, 'latest', 'read_committed'), {
      deadlineMs: DEADLINE_MS,
    });
  }

  /** The high watermark. Records from the last stable offset up to it wait for a transaction to be decided. */
  async end(): Promise<bigint> {
    return this.cluster.askLeader(this.target, listOffset(this.target, 'latest', 'read_uncommitted'), {
      deadlineMs: DEADLINE_MS,
    });
  }

  /**
   * A fetch from a log that is known to reach so far at least. Brokers tell their followers late how far it goes, so that the
   * first answers of a new leader may end before it. Throws `ledger-moved` when that does not pass.
   */
  private async fetchReached(
    offset: bigint,
    isolation: 'read_uncommitted' | 'read_committed',
    reached = offset,
  ): Promise<FetchedPartition> {
    const deadline = performance.now() + this.leaderLearnsMs;
    for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 500)) {
      try {
        const part = await this.fetch(offset, isolation);
        if (reached <= part.highWatermark) return part;
        throw this.moved(`position ${reached} is beyond its end ${part.highWatermark}`);
      } catch (error) {
        if (errorCodeOf(error) !== 'ledger-moved' || performance.now() + pauseMs > deadline) throw error;
      }
      await sleep(pauseMs);
    }
  }

  private async fetch(offset: bigint, isolation: 'read_uncommitted' | 'read_committed'): Promise<FetchedPartition> {
    try {
      const call = fetchPartition(this.target, offset, isolation, MAX_BYTES);
      return await this.cluster.askLeader(this.target, call, { deadlineMs: DEADLINE_MS });
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (cause instanceof BrokerError && cause.errorCode === OFFSET_OUT_OF_RANGE)
        throw this.moved(`offset ${offset} is not within it`);
      throw error;
    }
  }

  private moved(what: string): CdrError {
    return new CdrError('ledger-moved', `ledger topic ${this.target.topic}: ${what}`);
  }
}

/** Follows one file's records and their transactions through a log. */
class TailSearch {
  readonly undecided: Map<bigint, LedgerEntry | UnreadableRecord>;
  newest: LedgerEntry | UnreadableRecord | undefined;
  private readonly key: Buffer;

  constructor(key: Buffer, undecided: Map<bigint, LedgerEntry | UnreadableRecord>) {
    this.key = key;
    this.undecided = undecided;
  }

  /** Takes one answer; records below `stable` are decided by its list of aborted transactions. Returns the next offset. */
  read(part: FetchedPartition, from: bigint, stable: bigint): bigint {
    const aborted = new AbortedFilter(part.aborted);
    let next = from;
    for (const batch of readBatches(part.records)) {
      if (batch.lastOffset < from) continue;
      next = batch.lastOffset + 1n;
      const dropped = aborted.drops(batch);
      if (batch.control) this.marker(batch);
      else if (batch.baseOffset < stable || !batch.transactional) {
        if (!dropped) for (const found of this.records(batch, from)) this.decided(found);
      } else for (const found of this.records(batch, from)) this.undecided.set(batch.producerId, found);
    }
    return next;
  }

  /** The newest decided record. Throws `bad-ledger-record` when it is not readable. */
  result(): LedgerEntry | undefined {
    if (!this.newest || 'record' in this.newest) return this.newest;
    const { file, offset, problem } = this.newest;
    throw new CdrError(
      'bad-ledger-record',
      `ledger record of ${file} at offset ${offset} is not readable: ${problem}`,
      {
        hint: 'Upgrade this release if a newer one wrote it; otherwise see docs/operations.md.',
      },
    );
  }

  private marker(batch: FetchedBatch): void {
    const found = this.undecided.get(batch.producerId);
    this.undecided.delete(batch.producerId);
    if (found && readMarker(batch) === 'commit') this.decided(found);
  }

  private decided(found: LedgerEntry | UnreadableRecord): void {
    if (!this.newest || found.offset > this.newest.offset) this.newest = found;
  }

  private *records(batch: FetchedBatch, from: bigint): Generator<LedgerEntry | UnreadableRecord> {
    for (const { offset, key, value } of readRecords(batch)) {
      if (offset < from || !key?.equals(this.key)) continue;
      const parsed = parseLedgerRecord(value?.toString('utf8') ?? '');
      if (parsed.ok) yield { offset, record: parsed.record };
      else yield { file: this.key.toString('utf8'), offset, problem: parsed.problem };
    }
  }
}

function readStretch(part: FetchedPartition, from: bigint): TextStretch {
  const aborted = new AbortedFilter(part.aborted);
  const texts: LedgerText[] = [];
  let position = from;
  for (const batch of readBatches(part.records)) {
    if (batch.lastOffset < from) continue;
    if (batch.baseOffset >= part.lastStableOffset) break;
    position = batch.lastOffset + 1n;
    if (aborted.drops(batch)) continue;
    for (const { offset, key, value } of readRecords(batch))
      if (offset >= from && key)
        texts.push({ offset, file: key.toString('utf8'), text: value?.toString('utf8') ?? '' });
  }
  return { texts, position, lastStableOffset: part.lastStableOffset };
}

/** The newest readable record of each file, and all that cannot be read. */
function newestOf(texts: readonly LedgerText[]): Pick<LedgerStretch, 'entries' | 'unreadable'> {
  const newest = new Map<string, LedgerEntry>();
  const unreadable: UnreadableRecord[] = [];
  for (const { offset, file, text } of texts) {
    const parsed = parseLedgerRecord(text);
    if (parsed.ok) newest.set(file, { offset, record: parsed.record });
    else unreadable.push({ file, offset, problem: parsed.problem });
  }
  return { entries: [...newest.values()], unreadable };
}
