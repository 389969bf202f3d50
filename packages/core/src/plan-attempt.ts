import { sameIdentity } from './decide.ts';
import type { FileIdentity, LedgerRecord } from './ledger-record.ts';

/** Where an attempt begins, decided after the fence from what the ledger says. */
export type AttemptPlan =
  /** Nothing to write: repeat what follows a commit. */
  | { readonly kind: 'done'; readonly because: 'committed' | 'superseded' }
  /** From the first byte. */
  | { readonly kind: 'from-start'; readonly generation: number }
  /**
   * The first byteOffset bytes were ingested: if they are still the same, go on behind them (there may be nothing left,
   * when only the mtime changed); if not, the file has changed.
   */
  | { readonly kind: 'continue'; readonly generation: number; readonly base: LedgerRecord }
  /** Ingested by the program that was here before: same size counts as the same file; there is no hash to compare. */
  | { readonly kind: 'adopted'; readonly generation: number; readonly base: LedgerRecord };

/** Generation first, state second. `file` is what the server says now. */
export function planAttempt(
  entry: LedgerRecord | undefined,
  job: { readonly generation: number },
  file: FileIdentity,
): AttemptPlan {
  if (!entry || entry.generation < job.generation) return { kind: 'from-start', generation: job.generation };
  if (entry.generation > job.generation) return { kind: 'done', because: 'superseded' };
  if (entry.state !== 'partial') {
    if (sameIdentity(entry, file)) return { kind: 'done', because: 'committed' };
    if (entry.changed && sameIdentity(entry.changed, file)) return { kind: 'done', because: 'committed' };
  }
  if (entry.state === 'adopted') return { kind: 'adopted', generation: entry.generation, base: entry };
  return { kind: 'continue', generation: entry.generation, base: entry };
}
