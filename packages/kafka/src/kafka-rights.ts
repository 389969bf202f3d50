import { CdrError, errorCodeOf } from '@cdr/core/errors';
import { KafkaCluster } from './kafka-cluster.ts';
import type { KafkaSettings } from './kafka-settings.ts';
import { addPartitionsToTxn, endTxn, fetchPartition, initProducerId, type TopicPartition } from './requests.ts';
import type { TopicSettings } from './topics.ts';

/** Rights that the user lacks, each an error that names it. */
export interface LackingRights {
  /** What a worker cannot do without. */
  readonly needed: readonly CdrError[];
  /** What only `cdr audit` and `cdr rejects` need. */
  readonly toRead: readonly CdrError[];
}

/** Longer than the check takes: should it die in between, the brokers abort after this. */
const TRANSACTION_TIMEOUT_MS = 10_000;
const DEADLINE_MS = 10_000;

/**
 * Tries what an attempt at a file does, on the first partition of each topic, in a transaction without a row that is aborted.
 * Topics that are not there or not to be seen are left out: inspectTopics reports those. `transactionalId` must be
 * nobody else's. Throws CdrError when the cluster cannot be asked.
 */
export async function lackingRights(
  kafka: KafkaSettings,
  topics: Pick<TopicSettings, 'recordTopics' | 'rejectsTopic' | 'ledgerTopic'>,
  transactionalId: string,
): Promise<LackingRights> {
  const cluster = new KafkaCluster(kafka);
  try {
    await cluster.connect([]);
    const written: TopicPartition[] = [];
    for (const topic of [...topics.recordTopics, topics.rejectsTopic, topics.ledgerTopic])
      if (await isThere(cluster, topic)) written.push({ topic, partition: 0 });
    const needed = await refusedWrites(cluster, transactionalId, written);
    const toRead: CdrError[] = [];
    for (const target of written) {
      const refusal = await refusalOf(async () => {
        const start = await cluster.earliestOffset(target, DEADLINE_MS);
        await cluster.askLeader(target, fetchPartition(target, start, 'read_committed', 1), {
          deadlineMs: DEADLINE_MS,
        });
      });
      if (refusal) (target.topic === topics.ledgerTopic ? needed : toRead).push(refusal);
    }
    return { needed, toRead };
  } finally {
    await cluster.close();
  }
}

async function refusedWrites(
  cluster: KafkaCluster,
  transactionalId: string,
  targets: readonly TopicPartition[],
): Promise<CdrError[]> {
  const options = { deadlineMs: DEADLINE_MS };
  const refusals: CdrError[] = [];
  const tried = async <T>(action: () => Promise<T>): Promise<boolean> => {
    const refusal = await refusalOf(action);
    if (refusal) refusals.push(refusal);
    return !refusal;
  };
  await tried(async () => {
    const call = initProducerId(transactionalId, TRANSACTION_TIMEOUT_MS);
    const identity = await cluster.askCoordinator(transactionalId, call, options);
    let opened = false;
    for (const target of targets) {
      const add = addPartitionsToTxn(transactionalId, identity, [target]);
      if (await tried(() => cluster.askCoordinator(transactionalId, add, options))) opened = true;
    }
    if (opened) await cluster.askCoordinator(transactionalId, endTxn(transactionalId, identity, 'abort'), options);
  });
  return refusals;
}

async function isThere(cluster: KafkaCluster, topic: string): Promise<boolean> {
  try {
    await cluster.partitionCount(topic);
    return true;
  } catch (error) {
    if (errorCodeOf(error) === 'kafka-topic' || errorCodeOf(error) === 'kafka-authorization') return false;
    throw error;
  }
}

/** The error, when it is of a missing right; others are thrown. */
async function refusalOf(action: () => Promise<unknown>): Promise<CdrError | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    if (error instanceof CdrError && error.code === 'kafka-authorization') return error;
    throw error;
  }
}
