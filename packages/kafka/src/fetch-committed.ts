import type { KafkaCluster } from './kafka-cluster.ts';
import { BrokerError, OFFSET_OUT_OF_RANGE } from './kafka-errors.ts';
import { fetchPartition, type FetchedPartition, type TopicPartition } from './requests.ts';

const DEADLINE_MS = 30_000;

/** What a read_committed reader is answered at an offset; the list of aborted transactions is for the caller to apply. */
export async function fetchCommitted(
  log: Pick<KafkaCluster, 'askLeader'>,
  target: TopicPartition,
  offset: bigint,
  maxBytes: number,
): Promise<FetchedPartition | 'out-of-range'> {
  try {
    return await log.askLeader(target, fetchPartition(target, offset, 'read_committed', maxBytes), {
      deadlineMs: DEADLINE_MS,
    });
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof BrokerError && cause.errorCode === OFFSET_OUT_OF_RANGE) return 'out-of-range';
    throw error;
  }
}
