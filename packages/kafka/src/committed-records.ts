import { AbortedFilter } from './aborted-filter.ts';
import type { ProducerRange } from './committed-counter.ts';
import { decompress } from './compression.ts';
import { fetchCommitted } from './fetch-committed.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { readBatches, readRecords, type FetchedRecord } from './record-batch-reader.ts';

const MAX_BYTES = 4 << 20;

/**
 * The committed records of one producer in a range, in order. What is below the log's start, or hidden by a transaction
 * that is still open, is left out: compare the number with what the ledger says.
 */
export async function* readCommittedRecords(
  log: Pick<KafkaCluster, 'askLeader' | 'earliestOffset'>,
  range: ProducerRange,
): AsyncGenerator<FetchedRecord> {
  const first = BigInt(range.first);
  const last = BigInt(range.last);
  const start = await log.earliestOffset(range);
  let at = first > start ? first : start;
  while (at <= last) {
    const part = await fetchCommitted(log, range, at, MAX_BYTES);
    if (part === 'out-of-range') return;
    const aborted = new AbortedFilter(part.aborted);
    let next = at;
    for (const batch of readBatches(part.records)) {
      if (batch.lastOffset < at) continue;
      if (batch.baseOffset >= part.lastStableOffset) break;
      next = batch.lastOffset + 1n;
      if (aborted.drops(batch) || batch.baseOffset < first || batch.lastOffset > last) continue;
      if (batch.producerId !== BigInt(range.producerId) || batch.epoch !== range.epoch) continue;
      yield* readRecords({ ...batch, codec: 0, payload: decompress(batch.codec, batch.payload) });
    }
    if (next > at) at = next;
    else if (at < part.lastStableOffset) at = part.lastStableOffset;
    else return;
  }
}
