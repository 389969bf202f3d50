import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { errorCodeOf } from '@cdr/core/errors';
import type { LedgerRecord } from '@cdr/core/ledger-record';
import { fateOf } from '@cdr/core/retry-policy';
import { transactionalIdOf } from '@cdr/core/transactional-id';
import type { TransactionalWriter } from '@cdr/kafka/transactional-writer';
import { askLedger } from './ask-ledger.ts';
import { commitEntry } from './commit-entry.ts';
import type { LedgerParts } from './ledger-parts.ts';

/** Of the projection, a change asks and puts only. */
export type ChangeParts = Omit<LedgerParts, 'projection'> & {
  readonly projection: Pick<LedgerParts['projection'], 'ask' | 'put'>;
};

/** The record to write in place of a file's entry, or undefined to leave it. May be asked again, of a newer entry. */
export type Change = (
  entry: LedgerRecord | undefined,
  writer: Pick<TransactionalWriter, 'producerId' | 'epoch'>,
) => LedgerRecord | undefined;

/** What the ledger says of the file afterwards, and whether that is our doing. */
export type ChangedEntry =
  /** The record as it was written; a worker may have gone on from it by now. */
  | { readonly written: true; readonly record: LedgerRecord }
  | { readonly written: false; readonly record: LedgerRecord | undefined };

const MOST_ATTEMPTS = 12;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Changes a file's ledger entry without ingesting anything: what an operator does. It is a transaction under the file's
 * own id, after fence and ask, so that it is never based on an old entry; a running attempt at the file is fenced by it
 * and starts again, with what was written here before its eyes. Where the outcome is unknown, or another fenced us, it
 * begins again. Throws CdrError when a dependency is away, or when others kept on fencing.
 */
export async function changeEntry(file: string, change: Change, parts: ChangeParts): Promise<ChangedEntry> {
  let attempted: LedgerRecord | undefined;
  for (let attempt = 1; ; attempt++) {
    const ledger = parts.ledger();
    const writer = await parts.writers.fence(transactionalIdOf(ledger.topic, file));
    try {
      const answer = await askLedger(file, parts.projection, parts.ledgerReader, ledger);
      const entry = answer.entry?.record;
      if (entry && attempted && hasHappened(attempted, entry)) return { written: true, record: attempted };
      const record = change(entry, writer);
      if (!record) return { written: false, record: entry };
      attempted = record;
      await commitEntry(record, answer, writer, parts);
      return { written: true, record };
    } catch (error) {
      await writer.abort();
      // refused before the commit: nothing of it can have happened
      if (errorCodeOf(error) !== 'commit-unknown') attempted = undefined;
      if (fateOf(errorCodeOf(error)) !== 'again' || attempt >= MOST_ATTEMPTS) throw error;
      await sleep(Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2));
    }
  }
}

/**
 * Whether a commit of unknown outcome did happen: it is the newest record, or the generation that it asked for has begun
 * since. That one may be somebody else's doing: then the file was ingested again after we had asked, which is what we want.
 */
function hasHappened(attempted: LedgerRecord, entry: LedgerRecord): boolean {
  const asked = attempted.requested?.generation;
  return (asked !== undefined && entry.generation >= asked) || isDeepStrictEqual(entry, attempted);
}
