import { errorCodeOf } from '@cdr/core/errors';
import type { LedgerReader, UnreadableRecord } from '@cdr/kafka/ledger-reader';
import {
  ADVANCE_MAX_ENTRIES,
  isMadeAnew,
  sameLedger,
  type LedgerIdentity,
  type LedgerProjection,
  type ProjectionPosition,
} from '@cdr/queue/ledger-projection';
import { endsBefore, madeAnew } from './ledger-lost.ts';

export interface CatchUp {
  /** Records taken in. */
  readonly records: number;
  /** Why the projection was built anew, if it was. */
  readonly rebuilt?: string;
  readonly unreadable: readonly UnreadableRecord[];
}

/**
 * Brings the projection up to the ledger's last stable offset. A wiped Redis, or one of another ledger, is rebuilt from
 * the log's start; one that was rolled back goes on from its older position. When somebody else moved the position
 * meanwhile, begins again from there. Throws `ledger-lost` when the topic ends before the position, or is another one of
 * the same name.
 */
export async function catchUpProjection(
  projection: LedgerProjection,
  reader: LedgerReader,
  named: LedgerIdentity,
): Promise<CatchUp> {
  let records = 0;
  let rebuilt: string | undefined;
  const unreadable: UnreadableRecord[] = [];
  for (;;) {
    const [stored, topicId] = await Promise.all([projection.position(), reader.topicId()]);
    const ledger = { ...named, topicId };
    let position: ProjectionPosition;
    if (stored && isMadeAnew(stored, ledger)) throw madeAnew(ledger);
    if (stored && sameLedger(stored, ledger)) {
      position = { ...stored, topicId: topicId ?? stored.topicId };
      // written by a release that did not ask for the id
      if (position.topicId !== stored.topicId && !(await projection.advance(stored, position, []))) continue;
    } else {
      rebuilt = stored ? `Redis knew the ledger ${stored.topic} of cluster ${stored.clusterId}` : 'Redis knew nothing';
      position = { ...ledger, offset: await reader.start() };
      if (!(await projection.restart(stored, position))) continue;
    }
    const end = await readOn(projection, reader, position, (count, bad) => {
      records += count;
      unreadable.push(...bad);
    });
    if (end === 'caught-up') return { records, unreadable, ...(rebuilt ? { rebuilt } : {}) };
  }
}

async function readOn(
  projection: LedgerProjection,
  reader: LedgerReader,
  from: ProjectionPosition,
  report: (records: number, unreadable: readonly UnreadableRecord[]) => void,
): Promise<'caught-up' | 'overtaken'> {
  let position = from;
  try {
    for await (const stretch of reader.readCommitted(from.offset)) {
      // an unreadable record takes the place of an older entry, too: nobody may decide from that one any more
      const entries = [...stretch.entries, ...stretch.unreadable];
      // entries in front of the last call's: the position moves only with it
      const whole = Math.max(0, Math.ceil(entries.length / ADVANCE_MAX_ENTRIES) - 1) * ADVANCE_MAX_ENTRIES;
      for (let i = 0; i < whole; i += ADVANCE_MAX_ENTRIES)
        if (!(await projection.advance(position, position, entries.slice(i, i + ADVANCE_MAX_ENTRIES))))
          return 'overtaken';
      const next = { ...position, offset: stretch.position };
      if (!(await projection.advance(position, next, entries.slice(whole)))) return 'overtaken';
      report(stretch.entries.length, stretch.unreadable);
      position = next;
    }
  } catch (error) {
    if (errorCodeOf(error) !== 'ledger-moved') throw error;
    throw endsBefore(position, error);
  }
  return 'caught-up';
}
