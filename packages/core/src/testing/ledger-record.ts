import type { LedgerRecord } from '../ledger-record.ts';

/** A committed record of a file of 2 rows, with what a test wants different. */
export function aLedgerRecord(different: Partial<LedgerRecord> = {}): LedgerRecord {
  return {
    v: 1,
    file: 'cdr_data_20241207_150000.csv',
    feed: 'data',
    state: 'committed',
    topic: 'cdr-data',
    generation: 1,
    size: 100,
    mtimeMs: 1_733_583_600_000,
    sha256: 'ab'.repeat(32),
    byteOffset: 100,
    rows: 2,
    messages: 2,
    rejects: 0,
    ranges: [{ topic: 'cdr-data', partition: 0, first: '10', last: '11' }],
    producerId: '1000',
    epoch: 0,
    attempt: 0,
    jobId: 'f-cdr_data_20241207_150000.csv',
    worker: 'worker-1',
    startedAt: '2024-12-07T15:00:00.000Z',
    committedAt: '2024-12-07T15:00:01.000Z',
    ...different,
  };
}
