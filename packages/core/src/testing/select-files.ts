import type { ChangedFilesPolicy, DecidingPart } from '../decide.ts';
import type { Feed } from '../feeds.ts';
import { FileSelection, type ListedFile, type Selection } from '../select-files.ts';
import type { SettlingFiles } from '../settling.ts';

/** What a scan enqueues of a listing that comes in two parts at one moment. */
export function selectFiles(
  files: readonly ListedFile[],
  feeds: readonly Feed[],
  ledger: ReadonlyMap<string, DecidingPart>,
  settling: SettlingFiles,
  nowMs: number,
  changedFiles: ChangedFilesPolicy,
): Selection {
  const selection = new FileSelection(feeds, settling, changedFiles);
  const seen = { fromMs: nowMs, toMs: nowMs };
  const half = Math.ceil(files.length / 2);
  for (const part of [files.slice(0, half), files.slice(half)]) selection.take(part, seen, ledger);
  return selection.end();
}
