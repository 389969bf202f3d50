import { errorCodeOf } from '@cdr/core/errors';
import type { LedgerEntry } from '@cdr/core/ledger-record';
import type { LedgerReader, Undecided } from '@cdr/kafka/ledger-reader';
import { isMadeAnew, sameLedger, type LedgerIdentity, type LedgerProjection } from '@cdr/queue/ledger-projection';
import { endsBefore, madeAnew } from './ledger-lost.ts';

export interface LedgerAnswer {
  readonly entry: LedgerEntry | undefined;
  /** Everything below this offset was taken into account. */
  readonly readTo: bigint;
  /** How many offsets had to be read, because the projection does not have them yet. */
  readonly behindBy: bigint;
  /** Records of this file that a marker behind `readTo` may still decide. */
  readonly undecided: Undecided;
}

/**
 * What is true of a file, asked after the fence of its id: the projection's entry and position (one Redis command) and
 * the topic's tail from that position, put together in memory. Never the other way round: an answer from before the fence
 * may be overtaken. Throws `ledger-lost` when the topic ends before what the projection has already seen of it, or is
 * another one of the same name.
 */
export async function askLedger(
  file: string,
  projection: Pick<LedgerProjection, 'ask'>,
  reader: LedgerReader,
  ledger: LedgerIdentity,
): Promise<LedgerAnswer> {
  const [{ entry: known, unreadableAt, position }, topicId] = await Promise.all([
    projection.ask(file),
    reader.topicId(),
  ]);
  if (position && isMadeAnew(position, { ...ledger, topicId })) throw madeAnew(ledger);
  // a projection of another cluster's or topic's ledger says nothing about this one
  const ours = position !== undefined && sameLedger(position, ledger);
  const behind = ours ? position.offset : await reader.start();
  // what the projection cannot read, the topic must show again
  const from = ours && unreadableAt !== undefined && unreadableAt < behind ? unreadableAt : behind;
  try {
    const tail = await reader.readTail(file, from);
    // without a position, Redis was wiped and an entry can only come from a commit since
    const candidate = known && (ours || position === undefined) && known.offset < tail.barrier ? known : undefined;
    const entry = newer(candidate, tail.entry);
    return { entry, readTo: tail.barrier, behindBy: tail.barrier - behind, undecided: tail.undecided };
  } catch (error) {
    if (!ours || errorCodeOf(error) !== 'ledger-moved') throw error;
    throw endsBefore(position, error);
  }
}

function newer(a: LedgerEntry | undefined, b: LedgerEntry | undefined): LedgerEntry | undefined {
  if (!a || !b) return a ?? b;
  return a.offset > b.offset ? a : b;
}
