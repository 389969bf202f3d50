import { ingestJobSchema, QUEUE_NAME, type IngestJob } from '@cdr/core/ingest-job';
import { jobIdOf } from '@cdr/core/job-id';
import { MAX_ATTEMPTS } from '@cdr/core/retry-policy';
import { Queue, type JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { reconnectDelayMs, redisCall } from './redis-connection.ts';
import type { RedisSettings } from './redis-settings.ts';

const CHUNK = 1000;
/** A job that did this file this recently may not be in the projection that the scan was decided from: wait and see. */
const JUST_FINISHED_MS = 30_000;
/** A job younger than this may be between two of BullMQ's lists. */
const LIMBO_AFTER_MS = 60_000;

const JOB_OPTIONS: JobsOptions = {
  attempts: MAX_ATTEMPTS,
  backoff: { type: 'custom' },
  removeOnComplete: { age: 7 * 24 * 3600, count: 50_000 },
  removeOnFail: false,
  keepLogs: 200,
  stackTraceLimit: 3,
};

export interface EnqueueResult {
  /** New in the queue. */
  added: number;
  /** Waiting, delayed or active already: left alone. */
  queued: number;
  /** Failed as exactly this file and generation: waits for an operator or a new upload. */
  failed: number;
  /** Jobs in no list of BullMQ's, removed and added again. */
  limbo: number;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly failed: number;
  readonly completed: number;
}

type JobState = 'absent' | 'queued' | 'failed-same' | 'finished' | 'just-finished' | 'limbo';

/** The scanner's side of the queue: one job per file. Every method throws CdrError `redis-unavailable`. */
export class IngestQueue {
  private readonly queue: Queue<IngestJob>;
  private readonly redis: Redis;
  private readonly keyPrefix: string;

  /** `redis` is for look-ups and stays the caller's. */
  constructor(settings: RedisSettings, redis: Redis, onError: (error: Error) => void) {
    this.redis = redis;
    this.keyPrefix = `${settings.prefix}:${QUEUE_NAME}:`;
    this.queue = new Queue<IngestJob>(QUEUE_NAME, {
      prefix: settings.prefix,
      connection: {
        url: settings.url,
        enableOfflineQueue: false,
        maxRetriesPerRequest: 1,
        commandTimeout: 5_000,
        retryStrategy: reconnectDelayMs,
      },
      defaultJobOptions: JOB_OPTIONS,
    });
    this.queue.on('error', onError);
  }

  async untilReady(): Promise<void> {
    await redisCall('connecting the queue', () => this.queue.waitUntilReady());
  }

  /** BullMQ's own queue, for the dashboard and the command line. */
  get bullQueue(): Queue<IngestJob> {
    return this.queue;
  }

  /**
   * Adds a job per file, in the order given, 1000 at a time. `reconcile` also looks for jobs that are in no list, which
   * would block their file for ever; that reads every list, so not at every scan.
   */
  async enqueue(jobs: readonly IngestJob[], reconcile: boolean): Promise<EnqueueResult> {
    const result: EnqueueResult = { added: 0, queued: 0, failed: 0, limbo: 0 };
    for (let start = 0; start < jobs.length; start += CHUNK) {
      const chunk = jobs.slice(start, start + CHUNK);
      const states = await this.statesOf(chunk, reconcile);
      const fresh: IngestJob[] = [];
      for (const [i, job] of chunk.entries()) {
        const state = states[i];
        if (state === 'queued' || state === 'just-finished') result.queued++;
        else if (state === 'failed-same') result.failed++;
        else {
          if (state === 'limbo') result.limbo++;
          if (state !== 'absent') await redisCall('removing a job', () => this.queue.remove(jobIdOf(job.file)));
          fresh.push(job);
        }
      }
      if (fresh.length > 0)
        await redisCall('adding jobs', () =>
          this.queue.addBulk(
            fresh.map((job) => ({
              name: job.feed,
              data: ingestJobSchema.parse(job),
              opts: { jobId: jobIdOf(job.file) },
            })),
          ),
        );
      result.added += fresh.length;
    }
    return result;
  }

  async counts(): Promise<QueueCounts> {
    const counts = await redisCall('counting jobs', () =>
      this.queue.getJobCounts('wait', 'active', 'delayed', 'failed', 'completed', 'prioritized'),
    );
    return {
      waiting: (counts['wait'] ?? 0) + (counts['prioritized'] ?? 0),
      active: counts['active'] ?? 0,
      delayed: counts['delayed'] ?? 0,
      failed: counts['failed'] ?? 0,
      completed: counts['completed'] ?? 0,
    };
  }

  async close(): Promise<void> {
    await this.queue.close();
  }

  /** One pipeline for the whole chunk: most ids do not exist, and asking BullMQ for a state walks its lists. */
  private async statesOf(jobs: readonly IngestJob[], reconcile: boolean): Promise<JobState[]> {
    return redisCall('looking up jobs', async () => {
      const pipeline = this.redis.pipeline();
      for (const job of jobs) {
        const id = jobIdOf(job.file);
        pipeline.hmget(this.keyPrefix + id, 'timestamp', 'data', 'finishedOn');
        pipeline.zscore(`${this.keyPrefix}completed`, id);
        pipeline.zscore(`${this.keyPrefix}failed`, id);
      }
      const answers = (await pipeline.exec()) ?? [];
      const answer = <T>(index: number): T => {
        const [error, value] = answers[index] ?? [new Error('no answer'), null];
        if (error) throw error;
        return value as T;
      };
      const listed = reconcile ? await this.listedIds() : undefined;
      const now = Date.now();
      return jobs.map((job, i): JobState => {
        const [timestamp, data, finishedOn] = answer<(string | null)[]>(i * 3);
        const completed = answer<string | null>(i * 3 + 1) !== null;
        const failed = answer<string | null>(i * 3 + 2) !== null;
        if (!timestamp) return completed || failed ? 'finished' : 'absent';
        const same = isSameFile(data ?? null, job);
        if (failed) return same ? 'failed-same' : 'finished';
        if (completed) return same && now - Number(finishedOn ?? 0) < JUST_FINISHED_MS ? 'just-finished' : 'finished';
        const old = now - Number(timestamp) > LIMBO_AFTER_MS;
        return old && listed && !listed.has(jobIdOf(job.file)) ? 'limbo' : 'queued';
      });
    });
  }

  /** Every id in a list of unfinished jobs, all lists at one moment. */
  private async listedIds(): Promise<Set<string>> {
    const key = (list: string): string => this.keyPrefix + list;
    const answers = await this.redis
      .multi()
      .lrange(key('wait'), 0, -1)
      .lrange(key('active'), 0, -1)
      .zrange(key('delayed'), '0', '-1')
      .zrange(key('prioritized'), '0', '-1')
      .zrange(key('waiting-children'), '0', '-1')
      .zrange(key('completed'), '0', '-1')
      .zrange(key('failed'), '0', '-1')
      .exec();
    return new Set((answers ?? []).flatMap(([error, ids]) => (error ? [] : (ids as string[]))));
  }
}

function isSameFile(data: string | null, job: IngestJob): boolean {
  try {
    const parsed = ingestJobSchema.safeParse(JSON.parse(data ?? ''));
    return (
      parsed.success &&
      parsed.data.size === job.size &&
      parsed.data.mtimeMs === job.mtimeMs &&
      parsed.data.generation === job.generation
    );
  } catch {
    return false;
  }
}
