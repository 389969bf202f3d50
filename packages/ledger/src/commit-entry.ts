import type { LedgerRecord } from '@cdr/core/ledger-record';
import type { LedgerReader } from '@cdr/kafka/ledger-reader';
import type { TransactionalWriter } from '@cdr/kafka/transactional-writer';
import type { LedgerProjection } from '@cdr/queue/ledger-projection';
import type { LedgerAnswer } from './ask-ledger.ts';

/** Up to where the ledger was read, and what was open there. */
export type Heard = Pick<LedgerAnswer, 'readTo' | 'undecided'>;

/** Moments within a commit that crash tests act at. */
export type CommitPoint = 'after-ledger' | 'before-commit' | 'committed' | 'projected';

export interface CommittedEntry {
  /** See LedgerProjection.put. */
  readonly sameContentAs: string | undefined;
  readonly offset: bigint;
  /** See TransactionalWriter.commit. */
  readonly retried: boolean;
  /** How long the transaction was open, in ms. */
  readonly openMs: number;
}

/**
 * The end of a transaction: the ledger record last, reading on until we meet it, commit, projection. `heard` is what was
 * asked after the fence, or what this writer's last commit left. Throws `ledger-moved` when another attempt at the file
 * was decided since, and `commit-unknown`: fence and ask again.
 */
export async function commitEntry(
  record: LedgerRecord,
  heard: Heard,
  writer: TransactionalWriter,
  parts: { readonly ledgerReader: LedgerReader; readonly projection: Pick<LedgerProjection, 'put'> },
  announce: (point: CommitPoint) => Promise<void> | void = () => undefined,
): Promise<CommittedEntry> {
  const { producerId, epoch } = writer;
  const offset = await writer.ledger(record);
  await announce('after-ledger');
  // Until we meet ourselves: a decided record of this file in between means that the answer was an old story.
  await parts.ledgerReader.meetYourself(record.file, heard.readTo, heard.undecided, { offset, producerId, epoch });
  await announce('before-commit');
  const openedAt = writer.openedAt ?? performance.now();
  const { retried } = await writer.commit();
  const openMs = performance.now() - openedAt;
  await announce('committed');
  // Redis being away takes nothing back: the next scan reads the topic
  const sameContentAs = await parts.projection.put({ offset, record }).catch(() => undefined);
  await announce('projected');
  return { offset, retried, openMs, sameContentAs };
}
