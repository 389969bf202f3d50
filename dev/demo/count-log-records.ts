import type { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { readBatches } from '@cdr/kafka/record-batch-reader';
import { fetchPartition, type TopicPartition } from '@cdr/kafka/requests';

const MAX_BYTES = 8 << 20;
const DEADLINE_MS = 30_000;

/** How many records the logs of the topics hold, those of aborted transactions included and markers left out. */
export async function countLogRecords(cluster: KafkaCluster, topics: readonly string[]): Promise<number> {
  let count = 0;
  for (const topic of topics) {
    const partitions = await cluster.partitionCount(topic);
    for (let partition = 0; partition < partitions; partition++) count += await countIn(cluster, { topic, partition });
  }
  return count;
}

async function countIn(cluster: KafkaCluster, target: TopicPartition): Promise<number> {
  let count = 0;
  let at = await cluster.earliestOffset(target);
  for (;;) {
    const call = fetchPartition(target, at, 'read_uncommitted', MAX_BYTES);
    const { records, highWatermark } = await cluster.askLeader(target, call, { deadlineMs: DEADLINE_MS });
    const from = at;
    for (const batch of readBatches(records)) {
      if (batch.lastOffset < from) continue;
      if (!batch.control) count += batch.count;
      at = batch.lastOffset + 1n;
    }
    if (at >= highWatermark) return count;
    if (at === from) throw new Error(`${target.topic}/${target.partition}: nothing at ${at}, end ${highWatermark}`);
  }
}
