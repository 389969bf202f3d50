import { setTimeout as sleep } from 'node:timers/promises';
import { describeError, errorCodeOf } from '@cdr/core/errors';
import { dependencyOf, fateOf } from '@cdr/core/retry-policy';
import type { HeldJob, JobOutcome } from '@cdr/queue/ingest-slot';
import type { Logger } from '@cdr/telemetry/logger';
import type { Outages } from '@cdr/telemetry/outages';
import { ingestFile, putBackLater, type AttemptParts, type AttemptResult } from './ingest-file.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

const PAUSE_BEFORE_AGAIN_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * One job from taking it to letting it go: runs attempts, and turns what they return or throw into what becomes of the
 * job. While a dependency is away the job is held under its lock and begins again when it is back.
 */
export async function runJob(job: HeldJob, parts: AttemptParts, outages: Outages, log: Logger): Promise<JobOutcome> {
  const { metrics } = parts;
  for (let again = 0; ; again++) {
    const stopwatch = metrics.attemptSeconds.startTimer({ feed: job.data.feed });
    try {
      const result = await ingestFile(job, parts, again > 0);
      stopwatch();
      return reportResult(job, result, metrics, log);
    } catch (thrown) {
      stopwatch();
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      const code = parts.shutdown.aborted ? 'shutdown' : errorCodeOf(error);
      const fate = fateOf(code);
      metrics.attemptErrors.inc({ feed: job.data.feed, code });
      switch (fate) {
        case 'hold':
          log.debug({ code, problem: describeError(error) }, 'holding the job until the dependency is back');
          try {
            await outages.untilBack(dependencyOf(code) ?? 'kafka', error, parts.shutdown);
          } catch {
            return { kind: 'hand-over' };
          }
          break;
        case 'again':
          log.info({ code, problem: describeError(error) }, 'starting again: own, fence, ask');
          await sleep(Math.min(PAUSE_BEFORE_AGAIN_MS * 2 ** again, LONGEST_PAUSE_MS));
          break;
        case 'put-back':
          return reportResult(job, putBackLater(job.data, parts.settings, describeError(error)), metrics, log);
        case 'hand-over':
          log.info('handing the job back: the worker is shutting down');
          return { kind: 'hand-over' };
        case 'fail':
          metrics.files.inc({ feed: job.data.feed, outcome: 'failed' });
          log.error({ err: error, code }, `Failed ${job.data.file}: ${describeError(error)}`);
          return { kind: 'failed', error };
        case 'retry':
          log.error({ err: error, code }, `attempt ${job.attempt} at ${job.data.file} failed, to be repeated`);
          return { kind: 'retry', error };
      }
    }
  }
}

function reportResult(job: HeldJob, result: AttemptResult, metrics: WorkerMetrics, log: Logger): JobOutcome {
  const { feed, file } = job.data;
  switch (result.kind) {
    case 'ingested': {
      const { generation, rows, messages, rejects, topic, byteOffset } = result.record;
      metrics.files.inc({ feed, outcome: 'ingested' });
      const seconds = (Date.now() - job.enqueuedAt) / 1000;
      metrics.fileSeconds.observe({ feed }, seconds);
      log.info(
        { rows, messages, rejects, bytes: byteOffset, generation, newRows: result.newRows },
        `Completed ${file}: ${messages} records sent to ${topic}${rejects > 0 ? `, ${rejects} rejects` : ''}`,
      );
      if (result.sameContentAs !== undefined) {
        metrics.sameContent.inc({ feed });
        log.warn(
          { sameContentAs: result.sameContentAs },
          `${file} has the content that was ingested as ${result.sameContentAs}: its rows are in ${topic} under both names`,
        );
      }
      const { sameContentAs } = result;
      return {
        kind: 'completed',
        result: {
          outcome: 'ingested',
          generation,
          rows,
          messages,
          rejects,
          ...(sameContentAs ? { sameContentAs } : {}),
        },
      };
    }
    case 'touched':
      metrics.files.inc({ feed, outcome: 'touched' });
      log.info(`${file} has a new time but the same content: nothing to ingest`);
      return { kind: 'completed', result: { outcome: 'touched', generation: result.record.generation } };
    case 'changed':
      metrics.files.inc({ feed, outcome: 'changed' });
      log.warn(
        `${file} changed after it was ingested: nothing of it was written. To ingest it again: cdr reingest ${file} --reason ...`,
      );
      return { kind: 'completed', result: { outcome: 'changed', generation: result.record.generation } };
    case 'nothing-to-do':
      metrics.files.inc({ feed, outcome: 'already-ingested' });
      log.info({ because: result.because }, `${file} is in the ledger already: nothing to do`);
      return { kind: 'completed', result: { outcome: result.because, generation: result.generation } };
    case 'put-back':
      metrics.files.inc({ feed, outcome: 'put-back' });
      log.info({ delayMs: result.delayMs }, `${file} is not ready: ${result.why}`);
      return result;
    case 'lost':
      log.warn('the lock is not ours any more: leaving without touching Kafka');
      return { kind: 'lost' };
  }
}
