import type { IngestJob } from '@cdr/core/ingest-job';
import { ErrorCode, type Job, type Queue } from 'bullmq';
import { redisCall, type Redis } from './redis-connection.ts';

const CHUNK = 100;
/** As if the job had never been tried: eight attempts with backoff again, not one. */
const FROM_THE_START = { resetAttemptsMade: true, resetAttemptsStarted: true };

/** How it went: done, or the state that the job is in instead of `failed`. */
export type OneJobResult = { readonly done: true } | { readonly done: false; readonly state: string };

/** What operators do with failed jobs. Every method throws CdrError `redis-unavailable`. */
export class FailedJobs {
  private readonly queue: Queue<IngestJob>;
  private readonly redis: Redis;

  /** Both stay the caller's. */
  constructor(queue: Queue<IngestJob>, redis: Redis) {
    this.queue = queue;
    this.redis = redis;
  }

  /** Puts a failed job at the end of the queue, with all its attempts and its stalled counter at zero. */
  async retry(jobId: string): Promise<OneJobResult> {
    return this.withFailed(jobId, 'retrying a job', async (job) => {
      await this.forgetStalls([jobId]);
      await job.retry('failed', FROM_THE_START);
    });
  }

  /** Removes a failed job. When its file is still there, the next scan adds it again. */
  async remove(jobId: string): Promise<OneJobResult> {
    return this.withFailed(jobId, 'removing a job', (job) => job.remove());
  }

  /**
   * Retries every job that has failed by now, in the order in which they failed. Those that are no longer failed when
   * their turn comes are skipped. `onRetried` gets the ids, a hundred at a time, each before the next hundred begins.
   */
  async retryAll(
    onRetried: (jobIds: readonly string[]) => Promise<void> = async () => undefined,
  ): Promise<{ retried: number; skipped: number }> {
    const ids = await redisCall('listing failed jobs', () => this.queue.getRanges(['failed'], 0, -1, true));
    let retried = 0;
    for (let start = 0; start < ids.length; start += CHUNK) {
      const chunk = ids.slice(start, start + CHUNK);
      const done = await redisCall('retrying failed jobs', async () => {
        const jobs = await Promise.all(chunk.map((id) => this.queue.getJob(id)));
        await this.forgetStalls(chunk);
        // sent in this order over one connection, so they enter the queue in this order
        const results = await Promise.allSettled(jobs.map((job) => job?.retry('failed', FROM_THE_START) ?? notThere()));
        const problem = results.find((result) => result.status === 'rejected' && !isElsewhere(result.reason));
        if (problem?.status === 'rejected') throw problem.reason;
        return chunk.filter((_, i) => results[i]?.status === 'fulfilled');
      });
      retried += done.length;
      if (done.length > 0) await onRetried(done);
    }
    return { retried, skipped: ids.length - retried };
  }

  private async withFailed(
    jobId: string,
    operation: string,
    act: (job: Job<IngestJob>) => Promise<void>,
  ): Promise<OneJobResult> {
    return redisCall(operation, async () => {
      const state = await this.queue.getJobState(jobId);
      const job = state === 'failed' ? await this.queue.getJob(jobId) : undefined;
      if (!job) return { done: false, state };
      try {
        await act(job);
        return { done: true };
      } catch (error) {
        // somebody else was faster: a retry from another window, a new upload of the file
        const now = await this.queue.getJobState(jobId);
        if (now === 'failed') throw error;
        return { done: false, state: now };
      }
    });
  }

  /** BullMQ never resets the stalled counter, and fails a job for good at maxStalledCount. */
  private async forgetStalls(jobIds: readonly string[]): Promise<void> {
    const pipeline = this.redis.pipeline();
    for (const id of jobIds) pipeline.hdel(this.queue.toKey(id), 'stc');
    await pipeline.exec();
  }
}

function notThere(): Promise<never> {
  return Promise.reject(Object.assign(new Error('no such job'), { code: ErrorCode.JobNotExist }));
}

/** The job is gone or not failed any more. */
function isElsewhere(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === ErrorCode.JobNotExist || error.code === ErrorCode.JobNotInState;
}
