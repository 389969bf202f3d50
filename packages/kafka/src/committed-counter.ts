import { setTimeout as sleep } from 'node:timers/promises';
import type { OffsetRange } from '@cdr/core/ledger-record';
import { AbortedFilter } from './aborted-filter.ts';
import { fetchCommitted } from './fetch-committed.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { readBatches, type FetchedBatch } from './record-batch-reader.ts';
import type { FetchedPartition, TopicPartition } from './requests.ts';

/** Acknowledged offsets of one partition and whose batches are meant: other producers' may lie between them. */
export type ProducerRange = OffsetRange & { readonly producerId: string; readonly epoch: number };

export interface RangeCount {
  /** Records that a read_committed consumer is shown. */
  readonly records: number;
  /**
   * `whole`: all of the range was read. `expired`: its beginning is below the log's start, so that records are missing by
   * right. `held-back`: a transaction that is still open hides its end. `beyond-end`: the log ends before it.
   */
  readonly state: 'whole' | 'expired' | 'held-back' | 'beyond-end';
}

/** What the counter needs of the cluster. */
export type CountedLog = Pick<KafkaCluster, 'askLeader' | 'earliestOffset'>;

export interface CounterOptions {
  /** How long to wait for open transactions that hide the end of a range. */
  readonly waitMs?: number;
  readonly maxBytes?: number;
  /** Told how many of the ranges are counted. */
  readonly onProgress?: (counted: number) => void;
}

const MAX_BYTES = 8 << 20;
const POLL_MS = 250;

/**
 * Counts committed records by producer within offset ranges, from the batches' headers alone: nothing is decompressed.
 * Each partition is read once, in order, whatever the number of ranges in it; what lies between them is skipped. kafkajs's
 * consumer is not used for it, since it shows aborted records. Gives a count per range, in their order.
 */
export async function countCommitted(
  log: CountedLog,
  ranges: readonly ProducerRange[],
  options: CounterOptions = {},
): Promise<RangeCount[]> {
  const tallies = ranges.map((range) => new Tally(range));
  const partitions = Map.groupBy(tallies, ({ range }) => `${range.partition} ${range.topic}`);
  const deadline = performance.now() + (options.waitMs ?? 0);
  let counted = 0;
  for (const group of partitions.values()) {
    await countPartition(log, group, deadline, options.maxBytes ?? MAX_BYTES, (more) => {
      counted += more;
      options.onProgress?.(counted);
    });
  }
  return tallies.map(({ records, state }) => ({ records, state }));
}

/** One range and what was found in it. */
class Tally {
  readonly range: ProducerRange;
  readonly first: bigint;
  readonly last: bigint;
  records = 0;
  state: RangeCount['state'] = 'beyond-end';

  constructor(range: ProducerRange) {
    this.range = range;
    this.first = BigInt(range.first);
    this.last = BigInt(range.last);
  }

  /** Ranges begin and end with batches, so that a batch is in one or it is not. */
  take(batch: FetchedBatch): void {
    if (batch.baseOffset >= this.first && batch.lastOffset <= this.last) this.records += batch.count;
  }
}

async function countPartition(
  log: CountedLog,
  group: readonly Tally[],
  deadline: number,
  maxBytes: number,
  done: (ranges: number) => void,
): Promise<void> {
  const target: TopicPartition = { topic: group[0]?.range.topic ?? '', partition: group[0]?.range.partition ?? 0 };
  const waiting = group.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const reading = new Set<Tally>();
  let start = await log.earliestOffset(target);
  let at = start;
  for (;;) {
    for (let next = waiting[0]; next && next.first <= at; next = waiting[0]) {
      waiting.shift();
      reading.add(next);
    }
    const passed = [...reading].filter(({ last }) => last < at);
    for (const tally of passed) {
      reading.delete(tally);
      tally.state = tally.first < start ? 'expired' : 'whole';
    }
    if (passed.length > 0) done(passed.length);
    if (reading.size === 0) {
      if (!waiting[0]) return;
      at = waiting[0].first;
      continue;
    }

    const part = await fetchCommitted(log, target, at, maxBytes);
    if (part === 'out-of-range') {
      const moved = await log.earliestOffset(target);
      // the log ends before what is asked for: it is not the log that was written to
      if (moved <= at) return;
      // retention has caught up with us
      start = at = moved;
      continue;
    }
    const next = countBatches(part, at, reading, waiting);
    if (next > at) at = next;
    else if (at < part.lastStableOffset)
      // compacted away, or nothing visible: the rest of the stable part is empty
      at = part.lastStableOffset;
    else if (part.lastStableOffset >= part.highWatermark) return;
    else if (performance.now() < deadline) await sleep(POLL_MS);
    else {
      for (const tally of [...reading, ...waiting]) tally.state = 'held-back';
      return;
    }
  }
}

/** Adds an answer's batches to the ranges that they are in. Returns the offset behind them. */
function countBatches(part: FetchedPartition, from: bigint, reading: Set<Tally>, waiting: Tally[]): bigint {
  const aborted = new AbortedFilter(part.aborted);
  const owners = Map.groupBy([...reading], ({ range }) => ownerOf(BigInt(range.producerId), range.epoch));
  let next = from;
  for (const batch of readBatches(part.records)) {
    if (batch.lastOffset < from) continue;
    if (batch.baseOffset >= part.lastStableOffset) break;
    next = batch.lastOffset + 1n;
    for (let begun = waiting[0]; begun && begun.first <= batch.baseOffset; begun = waiting[0]) {
      waiting.shift();
      reading.add(begun);
      const owner = ownerOf(BigInt(begun.range.producerId), begun.range.epoch);
      const others = owners.get(owner);
      if (others) others.push(begun);
      else owners.set(owner, [begun]);
    }
    if (aborted.drops(batch)) continue;
    for (const tally of owners.get(ownerOf(batch.producerId, batch.epoch)) ?? []) tally.take(batch);
  }
  return next;
}

function ownerOf(producerId: bigint, epoch: number): string {
  return `${producerId}/${epoch}`;
}
