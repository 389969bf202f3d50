import type { ChangedFilesPolicy } from '@cdr/core/decide';
import type { Feed } from '@cdr/core/feeds';
import {
  claimedFiles,
  FileSelection,
  type ListedFile,
  type Selection,
  type SelectionCounts,
} from '@cdr/core/select-files';
import type { SettlingFiles } from '@cdr/core/settling';
import type { LedgerReader } from '@cdr/kafka/ledger-reader';
import { catchUpProjection, type CatchUp } from '@cdr/ledger/catch-up-projection';
import type { ProjectionCheck } from '@cdr/ledger/projection-check';
import type { EnqueueResult, IngestQueue } from '@cdr/queue/ingest-queue';
import { LOOK_UP_AT_ONCE, type LedgerIdentity, type LedgerProjection } from '@cdr/queue/ledger-projection';
import type { SftpPool } from '@cdr/sftp/sftp-pool';
import type { AnnounceScan } from './scan-points.ts';

export interface ScanParts {
  readonly sftp: SftpPool;
  readonly queue: IngestQueue;
  readonly projection: LedgerProjection;
  readonly ledgerReader: LedgerReader;
  readonly ledger: () => LedgerIdentity;
  readonly projectionCheck: ProjectionCheck;
  readonly feeds: readonly Feed[];
  readonly settling: SettlingFiles;
  readonly remotePath: string;
  readonly changedFiles: ChangedFilesPolicy;
  readonly announce: AnnounceScan;
}

/** Hears how far a scan is, every thousand files. */
export type TellScan = (howFar: string) => Promise<void> | void;

export interface ScanResult {
  /** Entries of the directory, whatever they are. */
  readonly listed: number;
  readonly counts: SelectionCounts;
  readonly enqueued: EnqueueResult;
  readonly catchUp: CatchUp;
  /** Files of which Redis remembered something else than the ledger says. */
  readonly mended: readonly string[];
  readonly unclaimed: readonly string[];
  readonly notUtf8: readonly string[];
  readonly changed: readonly string[];
}

/**
 * One scan: catch up, list, select, enqueue. A crash between any two steps is repaired by the next scan: nothing is
 * remembered but what the ledger says and what is in the queue.
 */
export async function scanOnce(
  parts: ScanParts,
  reconcile: boolean,
  tell: TellScan = () => undefined,
): Promise<ScanResult> {
  await parts.announce('begun');
  // before anything is enqueued: a wiped or rolled-back Redis heals here
  const catchUp = await catchUpProjection(parts.projection, parts.ledgerReader, parts.ledger());
  const mended = await parts.projectionCheck.whenDue(parts.ledger());
  await parts.announce('caught-up');

  const { listed, selection } = await selectListed(parts, tell);
  parts.settling.endOfScan();
  await parts.announce('selected');

  const { wanted, counts, unclaimed, notUtf8, changed } = selection;

  const enqueued = await parts.queue.enqueue(wanted, reconcile, (done) =>
    tell(`${done} of ${wanted.length} files looked up in the queue or added`),
  );
  await parts.announce('enqueued');
  return { listed, counts, enqueued, catchUp, mended, unclaimed, notUtf8, changed };
}

/** Lists and selects, a part of the directory at a time: the server lists on while we look up what it has listed. */
async function selectListed(parts: ScanParts, tell: TellScan): Promise<{ listed: number; selection: Selection }> {
  const selection = new FileSelection(parts.feeds, parts.settling, parts.changedFiles);
  let listed = 0;
  let files: ListedFile[] = [];
  let fromMs = 0;
  const select = async () => {
    const seen = { fromMs, toMs: performance.now() };
    const claimed = claimedFiles(files, parts.feeds).map(({ name }) => name);
    selection.take(files, seen, await parts.projection.decidingParts(claimed));
    files = [];
    await tell(`${listed} entries listed`);
  };
  await parts.sftp.withChannel(async (channel) => {
    fromMs = performance.now();
    for await (const page of channel.listPages(parts.remotePath)) {
      listed += page.length;
      for (const entry of page) {
        if (entry.isRegularFile) files.push(entry);
        if (files.length === LOOK_UP_AT_ONCE) await select();
      }
    }
  });
  await select();
  return { listed, selection: selection.end() };
}
