import type { LedgerReader } from '@cdr/kafka/ledger-reader';
import type { TransactionalWriters } from '@cdr/kafka/transactional-writer';
import type { LedgerIdentity, LedgerProjection } from '@cdr/queue/ledger-projection';

/** What a write of an entry needs, of Kafka and of Redis. */
export interface LedgerParts {
  readonly writers: TransactionalWriters;
  readonly ledgerReader: LedgerReader;
  readonly projection: LedgerProjection;
  /** Asked at each attempt: the cluster id is known once connected. */
  readonly ledger: () => LedgerIdentity;
}
