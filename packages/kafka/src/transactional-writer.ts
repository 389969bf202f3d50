import type { LedgerRecord, OffsetRange } from '@cdr/core/ledger-record';
import type { MessageBlock } from '@cdr/core/csv/csv-transform';

/**
 * The port between an attempt and the Kafka client: what the attempt protocol needs of any client. It does not know
 * kafkajs, so that another client can be put under it.
 */
export interface TransactionalWriters {
  /**
   * Decides every earlier transaction of the id and shuts its earlier writers out. Throws CdrError: `kafka-unavailable`,
   * `kafka-authorization`, ...
   */
  fence(transactionalId: string): Promise<TransactionalWriter>;
}

/** One fenced life of a transactional id. After any error: abort, drop, fence again. */
export interface TransactionalWriter {
  readonly producerId: string;
  readonly epoch: number;
  /** When the first partition of the open transaction was added, by performance.now(); undefined while none is. */
  readonly openedAt: number | undefined;

  /** Puts messages of a topic into batches by their key. Copies; returns at once. Partition counts come from `prepare`. */
  messages(topic: string, block: MessageBlock): void;
  /** The same for one message. */
  message(topic: string, key: Buffer, value: Buffer): void;
  /** Looks up the partitions of the topics that will be written to. */
  prepare(topics: readonly string[]): Promise<void>;
  /** Resolves when few enough bytes are under way to take more. Throws what went wrong in the background. */
  ready(): Promise<void>;
  /** Resolves when everything given so far is acknowledged; the ranges of this transaction. */
  flush(): Promise<OffsetRange[]>;
  /** Writes the ledger record, last in the transaction, after flush. Returns its offset. */
  ledger(record: LedgerRecord): Promise<bigint>;
  /** See TransactionalProducer.commit. Afterwards the next transaction may begin. */
  commit(): Promise<{ retried: boolean }>;
  /** Never throws. */
  abort(): Promise<void>;
}
