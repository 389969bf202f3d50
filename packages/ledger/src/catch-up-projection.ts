import { errorCodeOf } from '@cdr/core/errors';
import type { LedgerReader, UnreadableRecord } from '@cdr/kafka/ledger-reader';
import {
  ADVANCE_MAX_ENTRIES,
  isMadeAnew,
  sameLedger,
  type LedgerIdentity,
  type LedgerProjection,
  type ProjectedRecord,
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

/** Of the projection, a catch-up moves the position on and takes records in. */
export type Followed = Pick<LedgerProjection, 'position' | 'advance' | 'restart'>;

/**
 * Brings the projection up to the ledger's last stable offset. A wiped Redis, or one of another ledger, is rebuilt from
 * the log's start; one that was rolled back goes on from its older position. When somebody else moved the position
 * meanwhile, begins again from there. Throws `ledger-lost` when the topic ends before the position, or is another one of
 * the same name.
 */
export async function catchUpProjection(
  projection: Followed,
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
  projection: Followed,
  reader: LedgerReader,
  from: ProjectionPosition,
  report: (records: number, unreadable: readonly UnreadableRecord[]) => void,
): Promise<'caught-up' | 'overtaken'> {
  let position = from;
  try {
    for await (const stretch of reader.readCommitted(from.offset)) {
      // an unreadable record takes the place of an older entry, too: nobody may decide from that one any more
      const records = [...stretch.entries, ...stretch.unreadable].sort((a, b) => Number(a.offset - b.offset));
      for (const slice of slicesOf(records, stretch.position)) {
        const next = { ...position, offset: slice.end };
        if (!(await projection.advance(position, next, slice.records))) return 'overtaken';
        position = next;
      }
      report(stretch.entries.length, stretch.unreadable);
    }
  } catch (error) {
    if (errorCodeOf(error) !== 'ledger-moved') throw error;
    throw endsBefore(position, error);
  }
  return 'caught-up';
}

interface Slice {
  readonly records: readonly ProjectedRecord[];
  /** Every record below it is in this slice or one before it, or has a later one of its file from here on. */
  readonly end: bigint;
}

/**
 * A stretch in pieces that one script each can take in without blocking Redis. The position moves with each of them: were
 * it left behind until the last one, a Redis that went back between two scripts would not be noticed.
 */
function* slicesOf(sorted: readonly ProjectedRecord[], end: bigint): Generator<Slice> {
  for (let start = 0; start < sorted.length || start === 0; start += ADVANCE_MAX_ENTRIES) {
    const records = sorted.slice(start, start + ADVANCE_MAX_ENTRIES);
    const next = sorted[start + ADVANCE_MAX_ENTRIES];
    yield { records, end: next?.offset ?? end };
  }
}
