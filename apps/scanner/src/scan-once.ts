import { decidingPartOf, type ChangedFilesPolicy, type DecidingPart } from '@cdr/core/decide';
import type { Feed } from '@cdr/core/feeds';
import { claimedFiles, selectFiles, type SelectionCounts } from '@cdr/core/select-files';
import type { SettlingFiles } from '@cdr/core/settling';
import type { LedgerReader } from '@cdr/kafka/ledger-reader';
import { catchUpProjection, type CatchUp } from '@cdr/ledger/catch-up-projection';
import type { ProjectionCheck } from '@cdr/ledger/projection-check';
import type { EnqueueResult, IngestQueue } from '@cdr/queue/ingest-queue';
import type { LedgerIdentity, LedgerProjection } from '@cdr/queue/ledger-projection';
import type { SftpPool } from '@cdr/sftp/sftp-pool';
import type { AnnounceScan } from './scan-points.ts';

/** Records of so many files are in memory at a time. */
const LOOK_UP_AT_ONCE = 1_000;

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
export async function scanOnce(parts: ScanParts, reconcile: boolean): Promise<ScanResult> {
  await parts.announce('begun');
  // before anything is enqueued: a wiped or rolled-back Redis heals here
  const catchUp = await catchUpProjection(parts.projection, parts.ledgerReader, parts.ledger());
  const mended = await parts.projectionCheck.whenDue(parts.ledger());
  await parts.announce('caught-up');

  const listing = await parts.sftp.withChannel((channel) => channel.list(parts.remotePath));
  const files = listing.filter((entry) => entry.isRegularFile);
  await parts.announce('listed');

  const claimed = claimedFiles(files, parts.feeds).map(({ name }) => name);
  const ledger = new Map<string, DecidingPart>();
  for (let start = 0; start < claimed.length; start += LOOK_UP_AT_ONCE)
    for (const [name, record] of await parts.projection.records(claimed.slice(start, start + LOOK_UP_AT_ONCE)))
      ledger.set(name, decidingPartOf(record));
  const { wanted, counts, unclaimed, notUtf8, changed } = selectFiles(
    files,
    parts.feeds,
    ledger,
    parts.settling,
    performance.now(),
    parts.changedFiles,
  );
  parts.settling.endOfScan();
  await parts.announce('selected');

  const enqueued = await parts.queue.enqueue(wanted, reconcile);
  await parts.announce('enqueued');
  return { listed: listing.length, counts, enqueued, catchUp, mended, unclaimed, notUtf8, changed };
}
