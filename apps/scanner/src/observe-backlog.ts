import type { JobViews } from '@cdr/queue/job-views';
import type { ScanParts } from './scan-once.ts';
import type { ScannerMetrics } from './scanner-metrics.ts';

/** What the workers have before them, and how far the ledger is decided. Throws what queue and ledger throw. */
export async function observeBacklog(
  { queue, ledgerReader }: Pick<ScanParts, 'queue' | 'ledgerReader'>,
  jobs: JobViews,
  metrics: ScannerMetrics,
): Promise<void> {
  // the stable offset first: what is decided between the two answers must not make a negative rest
  const [counts, waitingSince, stable] = await Promise.all([
    queue.counts(),
    jobs.oldestWaitingSince(),
    ledgerReader.stableEnd(),
  ]);
  const end = await ledgerReader.end();
  for (const state of ['waiting', 'active', 'delayed', 'failed', 'completed'] as const)
    metrics.jobs.set({ state }, counts[state]);
  metrics.oldestWaiting.set(waitingSince === undefined ? 0 : Math.max(0, Date.now() - waitingSince) / 1000);
  metrics.ledgerStableOffset.set(Number(stable));
  metrics.ledgerUndecided.set(Number(end - stable));
}
