import { CdrError } from '@cdr/core/errors';
import type { LedgerRecord } from '@cdr/core/ledger-record';
import { countCommitted, type ProducerRange, type RangeCount } from '@cdr/kafka/committed-counter';
import type { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { producerRangesOf } from '../producer-ranges.ts';

/** How long to wait for transactions that hide what is to be counted: longer than most are open. */
const WAIT_MS = 60_000;
/** Of a range in a topic or partition that is not there. */
const NOT_THERE: RangeCount = { records: 0, state: 'beyond-end' };

export interface TopicCounts {
  readonly messages: readonly RangeCount[];
  readonly rejects: readonly RangeCount[];
}

/** Counts what the topics hold of each record's ranges, all records' in one pass over each partition. */
export async function countTopicRecords(
  cluster: KafkaCluster,
  records: readonly LedgerRecord[],
  onProgress: (ranges: number) => void,
): Promise<TopicCounts[]> {
  const ranges = records.flatMap(producerRangesOf);
  const partitions = new Map<string, number>();
  for (const topic of new Set(ranges.map((range) => range.topic)))
    partitions.set(topic, await partitionsOf(cluster, topic));
  const there = ranges.filter(({ topic, partition }) => partition < (partitions.get(topic) ?? 0));
  const counts = await countCommitted(cluster, there, { waitMs: WAIT_MS, onProgress });
  const countOf = new Map(there.map((range, i) => [range, counts[i] ?? NOT_THERE]));
  let next = 0;
  return records.map((record) => {
    const own = ranges.slice(next, (next += record.ranges.length));
    const counted = (wanted: (range: ProducerRange) => boolean): RangeCount[] =>
      own.filter(wanted).map((range) => countOf.get(range) ?? NOT_THERE);
    return {
      messages: counted(({ topic }) => topic === record.topic),
      rejects: counted(({ topic }) => topic !== record.topic),
    };
  });
}

export function rangesOf(records: readonly LedgerRecord[]): number {
  return records.reduce((total, { ranges }) => total + ranges.length, 0);
}

async function partitionsOf(cluster: KafkaCluster, topic: string): Promise<number> {
  try {
    return await cluster.partitionCount(topic);
  } catch (error) {
    if (error instanceof CdrError && error.code === 'kafka-topic') return 0;
    throw error;
  }
}
