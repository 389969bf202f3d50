import { decide, type ChangedFilesPolicy } from '@cdr/core/decide';
import { isUtf8Name, matchFeed, type Feed } from '@cdr/core/feeds';
import type { LedgerRecord } from '@cdr/core/ledger-record';
import { isTemporaryName, type ListedFile } from '@cdr/core/select-files';

/** What a scan would do about one entry of the listing, and why. */
export interface FileDecision {
  readonly file: string;
  readonly decision: 'take' | 'settling' | 'leave' | 'ignore';
  readonly why: string;
}

export interface ExplainOptions {
  readonly feeds: readonly Feed[];
  readonly ledger: ReadonlyMap<string, LedgerRecord>;
  readonly changedFiles: ChangedFilesPolicy;
  /** Whether the file has not changed for long enough. */
  readonly settled: (file: ListedFile) => boolean;
}

/** The same decisions as FileSelection's, one file at a time and with reasons. */
export function explainFile(
  file: ListedFile & { readonly isRegularFile: boolean },
  { feeds, ledger, changedFiles, settled }: ExplainOptions,
): FileDecision {
  const { name, size, mtimeMs } = file;
  const ignore = (why: string): FileDecision => ({ file: name, decision: 'ignore', why });
  if (!file.isRegularFile) return ignore('no regular file');
  if (isTemporaryName(name)) return ignore('a temporary name');
  if (!isUtf8Name(name)) return ignore('its name is not UTF-8: rename it on the server');
  if (!matchFeed(feeds, name)) return ignore('belongs to no feed');

  const entry = ledger.get(name);
  const decision = decide(entry, { size, mtimeMs }, changedFiles);
  if (decision.action === 'nothing')
    return {
      file: name,
      decision: 'leave',
      why:
        decision.because === 'ingested'
          ? entry?.state === 'adopted'
            ? 'adopted: ingested by another program'
            : 'ingested'
          : `changed after it was ingested; to ingest it: cdr reingest ${name} --reason ...`,
    };
  const why = reasonToTake(entry, decision);
  return settled(file)
    ? { file: name, decision: 'take', why }
    : { file: name, decision: 'settling', why: `${why}, when it has not changed for a while` };
}

function reasonToTake(
  entry: LedgerRecord | undefined,
  { action, generation }: { action: 'ingest' | 'look'; generation: number },
): string {
  if (!entry) return 'new';
  if (entry.requested?.generation === generation) return `asked for again by ${entry.requested.by}`;
  if (generation > entry.generation) return 'changed, and CHANGED_FILES=reingest';
  if (entry.state === 'partial') return `${entry.rows} rows of it are ingested, more to come`;
  return action === 'look' ? 'size or time are not as ingested: to be looked at' : 'to be ingested';
}
