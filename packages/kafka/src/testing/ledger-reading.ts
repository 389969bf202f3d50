import { errorCodeOf } from '@cdr/core/errors';
import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import { LedgerReader, type LedgerStretch, type TailAnswer } from '../ledger-reader.ts';
import { LedgerLog } from './ledger-log.ts';

export const OURS = 'ours.csv';
export const OTHER = 'other.csv';
// producers of our file, one life after the other, and of other files
export const [A, B, C] = [10, 11, 12];
export const [X, Y] = [20, 21];

export const ours = (generation = 1) => aLedgerRecord({ file: OURS, generation });
export const other = (generation = 1) => aLedgerRecord({ file: OTHER, generation });
export const unreadable = { file: OURS, text: '{"v":2}' };

/** Waits for no leader to learn how far the log goes. */
export const readerOf = (log: LedgerLog) => new LedgerReader(log, 'cdr-ledger', 0);
export const readTail = (log: LedgerLog, from = 0): Promise<TailAnswer> => readerOf(log).readTail(OURS, BigInt(from));

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => errorCodeOf(error),
  );
}

/** A log in which another file's transaction holds the last stable offset at 0. */
export function heldBack(): LedgerLog {
  const log = new LedgerLog();
  log.append(X, other());
  return log;
}

/** What is decided of all files, from an offset on. */
export async function collect(log: LedgerLog, from = 0): Promise<LedgerStretch[]> {
  const stretches: LedgerStretch[] = [];
  for await (const stretch of readerOf(log).readCommitted(BigInt(from))) stretches.push(stretch);
  return stretches;
}

/** Offset and file of each. */
export const entriesOf = (stretches: LedgerStretch[]) =>
  stretches.flatMap(({ entries }) => entries.map(({ offset, record }) => [Number(offset), record.file]));
