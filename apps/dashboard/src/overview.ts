import { ingestJobSchema, type IngestJob } from '@cdr/core/ingest-job';
import type { IngestQueue, QueueCounts } from '@cdr/queue/ingest-queue';
import { redisCall } from '@cdr/queue/redis-connection';
import type { ScanLease } from '@cdr/queue/scan-lease';
import { z } from 'zod';
import type { LedgerCounter, LedgerSummary } from './ledger-summary.ts';
import type { AppState, WatchedApps } from './watched-apps.ts';

const ACTIVE_SHOWN = 16;
const FAILED_SHOWN = 20;
const COMPLETED_SHOWN = 10;

type QueuedJob = Awaited<ReturnType<IngestQueue['bullQueue']['getJobs']>>[number];

/** One job on the page. */
export interface JobLine {
  readonly id: string;
  readonly file: string;
  /** Begun or finished, ms since 1970. */
  readonly at: number | undefined;
  /** In [0, 1] for a job that runs and has said so. */
  readonly progress: number | undefined;
  readonly rows: number | undefined;
  readonly rejects: number | undefined;
  readonly outcome: string | undefined;
  readonly reason: string | undefined;
}

/** Everything on the overview page. */
export interface Overview {
  readonly counts: QueueCounts;
  readonly paused: boolean;
  readonly active: readonly JobLine[];
  readonly failed: readonly JobLine[];
  readonly completed: readonly JobLine[];
  readonly ledger: LedgerSummary | undefined;
  readonly scannerAlive: boolean;
  /** Undefined where Redis does not tell. */
  readonly workerSlots: number | undefined;
  readonly apps: readonly AppState[];
}

export interface OverviewParts {
  readonly queue: IngestQueue;
  readonly lease: ScanLease;
  readonly ledger: LedgerCounter;
  readonly apps: WatchedApps;
}

const progressSchema = z.object({ bytes: z.number(), size: z.number().positive(), rows: z.number() });
const resultSchema = z.object({ outcome: z.string(), rows: z.number().optional(), rejects: z.number().optional() });

/** Asks Redis and the other apps. Throws CdrError `redis-unavailable`. */
export async function readOverview({ queue, lease, ledger, apps }: OverviewParts): Promise<Overview> {
  const bull = queue.bullQueue;
  const jobs = (state: 'active' | 'failed' | 'completed', count: number): Promise<QueuedJob[]> =>
    redisCall(`listing ${state} jobs`, () => bull.getJobs([state], 0, count - 1));
  const [counts, paused, active, failed, completed, scannerAlive, workerSlots, ledgerSummary, appStates] =
    await Promise.all([
      queue.counts(),
      redisCall('asking whether the queue is paused', () => bull.isPaused()),
      jobs('active', ACTIVE_SHOWN),
      jobs('failed', FAILED_SHOWN),
      jobs('completed', COMPLETED_SHOWN),
      lease.isHeld(),
      countWorkers(bull),
      ledger.summary(),
      apps.states(),
    ]);
  return {
    counts,
    paused,
    active: active.map(jobLine),
    failed: failed.map(jobLine),
    completed: completed.map(jobLine),
    ledger: ledgerSummary,
    scannerAlive,
    workerSlots,
    apps: appStates,
  };
}

/** A hosted Redis may not allow CLIENT LIST. */
async function countWorkers(bull: IngestQueue['bullQueue']): Promise<number | undefined> {
  try {
    const workers = await bull.getWorkers();
    return workers.filter(({ addr }) => addr !== undefined).length;
  } catch {
    return undefined;
  }
}

/** A job may also be one that nobody should have added: nothing of it is taken for granted. */
function jobLine(job: QueuedJob): JobLine {
  const progress = progressSchema.safeParse(job.progress);
  const result = resultSchema.safeParse(job.returnvalue);
  return {
    id: job.id ?? '',
    file: fileOf(job),
    at: job.finishedOn ?? job.processedOn,
    progress: progress.success ? Math.min(1, progress.data.bytes / progress.data.size) : undefined,
    rows: result.success ? result.data.rows : progress.success ? progress.data.rows : undefined,
    rejects: result.success ? result.data.rejects : undefined,
    outcome: result.success ? result.data.outcome : undefined,
    reason: job.failedReason || undefined,
  };
}

function fileOf(job: { readonly id?: string | undefined; readonly data: IngestJob }): string {
  const data = ingestJobSchema.safeParse(job.data);
  return data.success ? data.data.file : (job.id ?? '');
}
