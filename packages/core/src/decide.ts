import type { FileIdentity, LedgerRecord } from './ledger-record.ts';

/** What a scan does about a listed file. `ingest` and `look` are the same job; the worker finds out by reading. */
export type Decision =
  | { readonly action: 'ingest' | 'look'; readonly generation: number }
  | { readonly action: 'nothing'; readonly because: 'ingested' | 'changed' };

/** What of a ledger record a scan decides from. */
export type DecidingPart = Pick<LedgerRecord, 'state' | 'generation' | 'size' | 'mtimeMs' | 'changed' | 'requested'>;

/** A hundred thousand whole records would be most of a scanner's memory. */
export function decidingPartOf({ state, generation, size, mtimeMs, changed, requested }: LedgerRecord): DecidingPart {
  return { state, generation, size, mtimeMs, ...(changed ? { changed } : {}), ...(requested ? { requested } : {}) };
}

export type ChangedFilesPolicy = 'alert' | 'reingest';

/**
 * Decides from the ledger's entry and the file's identity alone. The queue is never asked: it is no memory.
 *
 * | ledger says | file | decision |
 * |---|---|---|
 * | nothing | any | ingest, generation 1 |
 * | requested again, not yet begun | any | ingest, the requested generation |
 * | changed, seen exactly so before | same as seen | nothing (reported), or the next generation under `reingest` |
 * | partial | any other | ingest, the ledger's generation |
 * | committed, adopted | same size and mtime | nothing |
 * | committed, adopted | anything else | look, the ledger's generation |
 */
export function decide(
  entry: DecidingPart | undefined,
  file: FileIdentity,
  changedFiles: ChangedFilesPolicy = 'alert',
): Decision {
  if (!entry) return { action: 'ingest', generation: 1 };
  if (isRequested(entry)) return { action: 'ingest', generation: entry.requested.generation };
  if (entry.changed && sameIdentity(entry.changed, file))
    return changedFiles === 'reingest'
      ? { action: 'ingest', generation: entry.generation + 1 }
      : { action: 'nothing', because: 'changed' };
  if (entry.state === 'partial') return { action: 'ingest', generation: entry.generation };
  if (sameIdentity(entry, file)) return { action: 'nothing', because: 'ingested' };
  return { action: 'look', generation: entry.generation };
}

/** True when an operator asked for a generation that nobody has begun. */
export function isRequested<Entry extends Pick<LedgerRecord, 'generation' | 'requested'>>(
  entry: Entry,
): entry is Entry & { requested: NonNullable<LedgerRecord['requested']> } {
  return entry.requested !== undefined && entry.requested.generation > entry.generation;
}

export function sameIdentity(a: FileIdentity, b: FileIdentity): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs;
}
