import { setTimeout as sleep } from 'node:timers/promises';
import { describeError, errorCodeOf } from '@cdr/core/errors';
import { dependencyOf } from '@cdr/core/retry-policy';
import { scanPauseMs } from '@cdr/core/scan-pause';
import { JobViews } from '@cdr/queue/job-views';
import type { ScanLease } from '@cdr/queue/scan-lease';
import type { Logger } from '@cdr/telemetry/logger';
import type { Outages } from '@cdr/telemetry/outages';
import { observeBacklog } from './observe-backlog.ts';
import { keepWhilePausing, keepWhileScanning } from './keep-lease.ts';
import { scanOnce, type ScanParts, type ScanResult } from './scan-once.ts';
import type { ScannerMetrics } from './scanner-metrics.ts';

/** Jobs that are in no list are looked for this often; it reads every list. */
const RECONCILE_EVERY_MS = 60_000;
const LOG_SAME_RESULT_EVERY_MS = 60_000;
const SHOWN_FILES = 5;

/** When to scan: one scan after another, with a pause, while the lease is ours, until the signal is aborted. */
export async function scanLoop(
  parts: ScanParts,
  lease: ScanLease,
  intervalMs: number,
  outages: Outages,
  metrics: ScannerMetrics,
  log: Logger,
  stop: AbortSignal,
): Promise<void> {
  const report = new ScanReport(log, metrics);
  const jobs = new JobViews(parts.queue);
  let reconciledAt = performance.now();
  while (!stop.aborted) {
    const startedAt = performance.now();
    let pause: () => Promise<void> = () => sleep(intervalMs, undefined, { signal: stop });
    try {
      if (await lease.hold()) {
        const reconcile = startedAt - reconciledAt >= RECONCILE_EVERY_MS;
        if (reconcile) reconciledAt = startedAt;
        const result = await scanOnce(
          parts,
          reconcile,
          keepWhileScanning(lease, (line) => log.info(line)),
        );
        const tookMs = performance.now() - startedAt;
        report.scan(result, tookMs);
        pause = () => keepWhilePausing(lease, scanPauseMs({ intervalMs, tookMs, entries: result.listed }), stop);
        await observeBacklog(parts, jobs, metrics);
      } else log.debug('another scanner holds the lease');
    } catch (error) {
      const dependency = dependencyOf(errorCodeOf(error));
      metrics.scanErrors.inc({ code: errorCodeOf(error) });
      if (dependency) {
        await outages.untilBack(dependency, error, stop).catch(() => undefined);
        continue;
      }
      log.error({ err: error }, `scan failed, to be repeated: ${describeError(error)}`);
    }
    await pause().catch(() => undefined);
  }
}

/** Says what a scan found: at once when there is something new, once a minute when there is not. */
class ScanReport {
  private readonly log: Logger;
  private readonly metrics: ScannerMetrics;
  private lastLine = '';
  private loggedAt = 0;

  constructor(log: Logger, metrics: ScannerMetrics) {
    this.log = log;
    this.metrics = metrics;
  }

  scan({ counts, enqueued, catchUp, mended, unclaimed, notUtf8, changed }: ScanResult, tookMs: number): void {
    const { metrics, log } = this;
    metrics.scans.inc();
    metrics.scanSeconds.observe(tookMs / 1000);
    metrics.lastScan.set(Date.now() / 1000);
    for (const state of ['found', 'ingested', 'changed', 'settling', 'unclaimed'] as const)
      metrics.files.set({ state }, counts[state]);
    metrics.files.set({ state: 'failed' }, enqueued.failed);
    metrics.files.set({ state: 'queued' }, enqueued.queued + enqueued.added);
    metrics.enqueued.inc(enqueued.added);
    metrics.limbo.inc(enqueued.limbo);
    metrics.unreadableLedgerRecords.inc(catchUp.unreadable.length);

    if (catchUp.rebuilt)
      log.warn({ records: catchUp.records }, `projection rebuilt from the ledger topic: ${catchUp.rebuilt}`);
    metrics.mendedProjection.inc(mended.length);
    if (mended.length > 0)
      log.error(
        { examples: mended.slice(0, SHOWN_FILES) },
        `Redis remembered something else of ${mended.length} files than the ledger says: put right`,
      );
    for (const { file, offset, problem } of catchUp.unreadable)
      log.error({ fileKey: file, offset: offset.toString(), problem }, 'a ledger record is not readable');
    const line =
      `Found ${counts.found} CDR files: ${enqueued.added} enqueued, ${enqueued.queued} in the queue, ` +
      `${counts.ingested} ingested, ${counts.settling} settling, ${enqueued.failed} failed, ${counts.changed} changed, ` +
      `${counts.unclaimed} of no feed`;
    const now = performance.now();
    const said = enqueued.added === 0 && line === this.lastLine && now - this.loggedAt < LOG_SAME_RESULT_EVERY_MS;
    log[said ? 'debug' : 'info']({ ...counts, ...enqueued, tookMs: Math.round(tookMs) }, line);
    if (said) return;
    if (unclaimed.length > 0) log.warn({ examples: unclaimed }, `${counts.unclaimed} files belong to no feed`);
    if (notUtf8.length > 0)
      log.warn(
        { examples: notUtf8 },
        `${counts.notUtf8} files have names that are not UTF-8 and cannot be read: rename them on the server`,
      );
    if (changed.length > 0) log.warn({ examples: changed }, `${counts.changed} files changed after they were ingested`);
    this.lastLine = line;
    this.loggedAt = now;
  }
}
