import { ingestJobSchema, QUEUE_NAME, type IngestJob } from '@cdr/core/ingest-job';
import { jobIdOf } from '@cdr/core/job-id';
import { MAX_ATTEMPTS } from '@cdr/core/retry-policy';
import { Queue, type JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { connectionOptions, redisCall } from './redis-connection.ts';
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

/**
 * What is known of many jobs, in one command that answers with a placeholder for those that do not exist, which are most
 * of them in a large directory: three commands each would cost more than the rest of a scan. KEYS: the sets of completed
 * and failed jobs, then the jobs; ARGV: where the id begins in a job's key.
 */
const LOOK_UP_SCRIPT = `
local found = {}
for i = 3, #KEYS do
  local id = string.sub(KEYS[i], tonumber(ARGV[1]))
  local completed = redis.call('ZSCORE', KEYS[1], id)
  local failed = redis.call('ZSCORE', KEYS[2], id)
  local job = redis.call('HMGET', KEYS[i], 'timestamp', 'data', 'finishedOn')
  if job[1] or completed or failed then
    found[i - 2] = { completed and 1 or 0, failed and 1 or 0, job[1], job[2], job[3] }
  else
    found[i - 2] = 0
  end
end
return found`;

/** Of LOOK_UP_SCRIPT: completed, failed, timestamp, data, finishedOn; 0 when there is no such job anywhere. */
type FoundJob = 0 | readonly [0 | 1, 0 | 1, string | null, string | null, string | null];

type JobState = 'absent' | 'queued' | 'failed-same' | 'finished' | 'just-finished' | 'limbo';

/** The scanner's side of the queue: one job per file. Every method throws CdrError `redis-unavailable`. */
export class IngestQueue {
  private readonly queue: Queue<IngestJob>;
  private readonly redis: Redis;
  private readonly keyPrefix: string;
  private readonly keyPrefixBytes: number;

  /** `redis` is for look-ups and stays the caller's. */
  constructor(settings: RedisSettings, redis: Redis, onError: (error: Error) => void) {
    this.redis = redis;
    this.keyPrefix = `${settings.prefix}:${QUEUE_NAME}:`;
    this.keyPrefixBytes = Buffer.byteLength(this.keyPrefix);
    this.queue = new Queue<IngestJob>(QUEUE_NAME, {
      prefix: settings.prefix,
      connection: {
        url: settings.url,
        ...connectionOptions(settings),
        enableOfflineQueue: false,
        maxRetriesPerRequest: 1,
        commandTimeout: 5_000,
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
   * would block their file for ever; that reads every list, so not at every scan. `tell` hears how many are done.
   */
  async enqueue(
    jobs: readonly IngestJob[],
    reconcile: boolean,
    tell: (done: number) => Promise<void> | void = () => undefined,
  ): Promise<EnqueueResult> {
    const result: EnqueueResult = { added: 0, queued: 0, failed: 0, limbo: 0 };
    let adding: Promise<unknown> = Promise.resolve();
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
      if (fresh.length > 0) {
        // Redis works on one chunk while we make the next; they go over one connection, so the order stays
        const earlier = adding;
        adding = this.add(fresh);
        adding.catch(() => undefined);
        await earlier;
      }
      result.added += fresh.length;
      await tell(Math.min(start + CHUNK, jobs.length));
    }
    await adding;
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

  private async add(jobs: readonly IngestJob[]): Promise<void> {
    const entries = jobs.map((job) => ({
      name: job.feed,
      data: ingestJobSchema.parse(job),
      opts: { jobId: jobIdOf(job.file) },
    }));
    await redisCall('adding jobs', () => this.queue.addBulk(entries));
  }

  /** One command for the whole chunk: most ids do not exist, and asking BullMQ for a state walks its lists. */
  private async statesOf(jobs: readonly IngestJob[], reconcile: boolean): Promise<JobState[]> {
    return redisCall('looking up jobs', async () => {
      const keys = jobs.map((job) => this.keyPrefix + jobIdOf(job.file));
      const sets = [`${this.keyPrefix}completed`, `${this.keyPrefix}failed`];
      const args = [...sets, ...keys, this.keyPrefixBytes + 1];
      const found = (await this.redis.eval(LOOK_UP_SCRIPT, sets.length + keys.length, ...args)) as FoundJob[];
      const listed = reconcile ? await this.listedIds() : undefined;
      const now = Date.now();
      return jobs.map((job, i): JobState => {
        const known = found[i] ?? 0;
        if (known === 0) return 'absent';
        const [completed, failed, timestamp, data, finishedOn] = known;
        if (!timestamp) return 'finished';
        const same = isSameFile(data, job);
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
