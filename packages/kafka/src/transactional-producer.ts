import { CdrError } from '@cdr/core/errors';
import type { KafkaCluster } from './kafka-cluster.ts';
import { BrokerError, DUPLICATE_SEQUENCE_NUMBER } from './kafka-errors.ts';
import type { RecordBatch } from './record-batch.ts';
import {
  addPartitionsToTxn,
  endTxn,
  initProducerId,
  produce,
  type ProducerIdentity,
  type TopicPartition,
} from './requests.ts';

/** How long one call may be repeated before the cluster counts as away. A killed broker costs 6 to 15 s. */
const CALL_DEADLINE_MS = 30_000;
/** How long the broker may wait for its replicas before it answers a produce. */
const PRODUCE_TIMEOUT_MS = 30_000;
/** An abort is a courtesy: the next fence does it too. */
const ABORT_DEADLINE_MS = 3_000;
const SEQUENCE_MODULO = 0x80000000;

/** What a producer needs of the cluster. */
export type ProducerCluster = Pick<KafkaCluster, 'askCoordinator' | 'askLeader' | 'forgetCoordinator'>;

/**
 * One life of a transactional id, from its fence to its first error. After any error the object is dead: drop it, fence
 * again, ask the ledger. At most one produce per partition may be under way.
 */
export class TransactionalProducer {
  readonly identity: ProducerIdentity;
  private readonly cluster: ProducerCluster;
  private readonly transactionalId: string;
  private readonly nextSequence = new Map<string, number>();
  private readonly inTransaction = new Set<string>();
  private dead: CdrError | undefined;
  /** A batch was given up of which some copy was never answered, and may still arrive. */
  private batchAtLarge = false;

  private constructor(cluster: ProducerCluster, transactionalId: string, identity: ProducerIdentity) {
    this.cluster = cluster;
    this.transactionalId = transactionalId;
    this.identity = identity;
  }

  /**
   * InitProducerId: when it answers, every earlier transaction of this id is decided, committed or aborted for good, and
   * every earlier producer of it is refused from now on. The epoch that it answers decides nothing (ids are forgotten).
   */
  static async fence(
    cluster: ProducerCluster,
    transactionalId: string,
    transactionTimeoutMs: number,
  ): Promise<TransactionalProducer> {
    const call = initProducerId(transactionalId, transactionTimeoutMs);
    const identity = await cluster.askCoordinator(transactionalId, call, { deadlineMs: CALL_DEADLINE_MS });
    return new TransactionalProducer(cluster, transactionalId, identity);
  }

  /** Opens the transaction on these partitions, in one request; those that are in it already cost nothing. */
  async addPartitions(partitions: readonly TopicPartition[]): Promise<void> {
    const missing = partitions.filter((target) => !this.inTransaction.has(keyOf(target)));
    if (missing.length === 0) return;
    await this.guard(async () => {
      const call = addPartitionsToTxn(this.transactionalId, this.identity, missing);
      await this.cluster.askCoordinator(this.transactionalId, call, { deadlineMs: CALL_DEADLINE_MS });
    });
    for (const target of missing) this.inTransaction.add(keyOf(target));
  }

  /**
   * Sends a sealed batch until it is acknowledged by all in-sync replicas; repetitions carry the same bytes and sequence
   * numbers, so that the broker keeps one. Returns the offset of the first record. The partition must have been added.
   */
  async produce(target: TopicPartition, batch: RecordBatch): Promise<bigint> {
    return this.guard(async () => {
      const key = keyOf(target);
      const sequence = this.nextSequence.get(key) ?? 0;
      const bytes = batch.stamp(this.identity, sequence, Date.now());
      const call = produce(this.transactionalId, target, bytes, PRODUCE_TIMEOUT_MS);
      let repeated = false;
      let offset: bigint;
      try {
        offset = await this.cluster.askLeader(target, call, {
          deadlineMs: CALL_DEADLINE_MS,
          onRetry: () => {
            repeated = true;
            if (this.dead) throw this.dead;
          },
        });
      } catch (error) {
        const cause = causeOf(error);
        if (repeated || !(cause instanceof BrokerError)) this.batchAtLarge = true;
        // kept, but at an offset that the broker no longer knows; the ledger needs it, so the attempt starts again
        if (cause instanceof BrokerError && cause.errorCode === DUPLICATE_SEQUENCE_NUMBER)
          throw new CdrError('fenced', 'Produce: repetition of a batch whose offset the broker has forgotten', {
            cause: error,
          });
        throw error;
      }
      this.nextSequence.set(key, (sequence + batch.count) % SEQUENCE_MODULO);
      // after a repetition the first socket may still hold the buffer
      if (!repeated) batch.release();
      return offset;
    });
  }

  /**
   * Ends the transaction. `retried`: the request had to be sent more than once, so a copy of it may still be on its way;
   * fence and ask before the next transaction. Throws `commit-unknown` when refused or not answered: it may have happened.
   */
  async commit(): Promise<{ retried: boolean }> {
    if (this.dead) throw this.dead;
    let retried = false;
    try {
      const call = endTxn(this.transactionalId, this.identity, 'commit');
      await this.cluster.askCoordinator(this.transactionalId, call, {
        deadlineMs: CALL_DEADLINE_MS,
        onRetry: () => {
          retried = true;
        },
      });
    } catch (error) {
      this.dead = new CdrError('commit-unknown', 'commit: refused or not answered', { cause: error });
      throw this.dead;
    }
    this.inTransaction.clear();
    this.cluster.forgetCoordinator(this.transactionalId);
    return { retried };
  }

  /**
   * Aborts if the broker answers soon; the next fence aborts otherwise. Never throws. No produce may be under way. A batch
   * that may still arrive leaves it to the fence: behind an abort of the same epoch, a broker that does not verify
   * transactions would take it for the first of the next one.
   */
  async abort(): Promise<void> {
    const nothingOpen = this.inTransaction.size === 0;
    this.dead ??= new CdrError('fenced', 'this producer has aborted');
    if (nothingOpen || this.batchAtLarge) return;
    try {
      const call = endTxn(this.transactionalId, this.identity, 'abort');
      await this.cluster.askCoordinator(this.transactionalId, call, { deadlineMs: ABORT_DEADLINE_MS });
    } catch {
      // fenced, or the cluster is away: decided by the next fence
    }
    this.cluster.forgetCoordinator(this.transactionalId);
  }

  private async guard<T>(action: () => Promise<T>): Promise<T> {
    if (this.dead) throw this.dead;
    try {
      return await action();
    } catch (error) {
      this.dead ??= error instanceof CdrError ? error : new CdrError('unexpected', 'producer failed', { cause: error });
      throw this.dead;
    }
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
