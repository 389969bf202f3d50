import type { Compression } from '@cdr/kafka/compression';
import { BatchingWriters } from '@cdr/kafka/batching-writer';
import type { KafkaCluster } from '@cdr/kafka/kafka-cluster';

export const PARTITIONS = 3;
const AT_ONCE = 6;
/** Small batches, so that those of transactions under way lie between each other. */
const BATCH_MAX_RECORDS = 100;

export interface Written {
  readonly transactions: number;
  readonly abortedTransactions: number;
  readonly committedRows: number;
  readonly abortedRows: number;
}

export interface WriteOptions {
  readonly topic: string;
  readonly ledgerTopic: string;
  readonly compression: Compression;
  readonly transactions: number;
  /** In each. */
  readonly rows: number;
}

/**
 * Fills a topic as workers do whose attempts fail now and then: transactions that overlap on all partitions, every third
 * one aborted, before its end or at it. Each message says in `outcome` what became of its transaction.
 */
export async function writeTopic(cluster: KafkaCluster, options: WriteOptions): Promise<Written> {
  const writers = new BatchingWriters(cluster, {
    ledgerTopic: options.ledgerTopic,
    compression: options.compression,
    transactionTimeoutMs: 60_000,
    batchMaxRecords: BATCH_MAX_RECORDS,
  });
  const totals = { transactions: options.transactions, abortedTransactions: 0, committedRows: 0, abortedRows: 0 };
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < options.transactions; index = next++) {
      const outcome = index % 3 === 2 ? 'aborted' : 'committed';
      const rows = outcome === 'committed' ? options.rows : Math.ceil(options.rows * (index % 2 === 0 ? 1 : 0.5));
      const writer = await writers.fence(`compat-${options.topic}-${index}`);
      await writer.prepare([options.topic]);
      for (let row = 0; row < rows; row++) {
        const msisdn = `+2782${String((index * 7919 + row * 104_729) % 10_000_000).padStart(7, '0')}`;
        const value = {
          msisdn,
          row: String(row),
          outcome,
          _source_file: `cdr_data_${index}.csv`,
          _record_type: 'data',
        };
        writer.message(options.topic, Buffer.from(msisdn), Buffer.from(JSON.stringify(value)));
        if (row % BATCH_MAX_RECORDS === 0) await writer.ready();
      }
      await writer.flush();
      if (outcome === 'committed') {
        await writer.commit();
        totals.committedRows += rows;
      } else {
        await writer.abort();
        totals.abortedTransactions++;
        totals.abortedRows += rows;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return totals;
}
