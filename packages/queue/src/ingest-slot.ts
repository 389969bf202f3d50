import { CdrError, describeError } from '@cdr/core/errors';
import { ingestJobSchema, QUEUE_NAME, type IngestJob } from '@cdr/core/ingest-job';
import { backoffMs } from '@cdr/core/retry-policy';
import { DelayedError, UnrecoverableError, WaitingError, Worker, type Job } from 'bullmq';
import { connectionOptions, redisCall, toRedisError } from './redis-connection.ts';
import type { RedisSettings } from './redis-settings.ts';

/** What became of a job in this worker's hands. Deciding it is the worker's business, carrying it out is this file's. */
export type JobOutcome =
  | { readonly kind: 'completed'; readonly result: JobResult }
  /** The file is not ready: later, with what is known of it now. No attempt spent. */
  | { readonly kind: 'put-back'; readonly job: IngestJob; readonly delayMs: number; readonly why: string }
  /** We are shutting down: to the front of the queue. No attempt spent. */
  | { readonly kind: 'hand-over' }
  /** The lock is somebody else's: touch nothing. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'retry'; readonly error: Error };

/** Shown in Bull Board as the job's return value. */
export interface JobResult {
  readonly outcome: string;
  readonly generation: number;
  readonly rows?: number;
  readonly messages?: number;
  readonly rejects?: number;
  /** Another file that was ingested with the same content before. */
  readonly sameContentAs?: string;
}

/** A job while it is ours: its data, and what an attempt asks of the queue. */
export interface HeldJob {
  readonly id: string;
  readonly data: IngestJob;
  /** 1 for the first; attempts that were put back or handed over do not count. */
  readonly attempt: number;
  /** When the job was added, ms since 1970. */
  readonly enqueuedAt: number;
  /** True while the lock is ours; extends it. Throws CdrError `redis-unavailable` when Redis cannot say. */
  readonly own: () => Promise<boolean>;
  /** Progress for the dashboard. Never throws. */
  readonly progress: (progress: JobProgress) => Promise<void>;
}

export interface JobProgress {
  readonly bytes: number;
  readonly size: number;
  readonly rows: number;
}

export interface SlotOptions {
  readonly redis: RedisSettings;
  /** Kept in the job as who processed it. */
  readonly worker: string;
  readonly lockMs: number;
  readonly process: (job: HeldJob) => Promise<JobOutcome>;
  readonly onError: (error: Error) => void;
}

/** A worker that died is noticed within lockMs + two of these. */
function stalledIntervalMs(lockMs: number): number {
  return Math.max(500, Math.round(lockMs / 3));
}

/**
 * One slot: a BullMQ Worker of concurrency 1. Several slots make a worker process; one Worker of concurrency N would run
 * a lost and refetched job twice at the same time.
 */
export class IngestSlot {
  private readonly worker: Worker<IngestJob, JobResult>;
  private current: Promise<void> | undefined;

  constructor(options: SlotOptions) {
    this.worker = new Worker<IngestJob, JobResult>(
      QUEUE_NAME,
      async (job, token) => {
        const done = Promise.withResolvers<void>();
        this.current = done.promise;
        try {
          return await this.run(job, token ?? '', options);
        } finally {
          this.current = undefined;
          done.resolve();
        }
      },
      {
        name: options.worker,
        prefix: options.redis.prefix,
        connection: {
          url: options.redis.url,
          ...connectionOptions(options.redis),
          maxRetriesPerRequest: null,
        },
        autorun: false,
        concurrency: 1,
        lockDuration: options.lockMs,
        stalledInterval: stalledIntervalMs(options.lockMs),
        maxStalledCount: 10,
        settings: { backoffStrategy: (attemptsMade) => backoffMs(attemptsMade, Math.random()) },
      },
    );
    this.worker.on('error', options.onError);
  }

  /** Begins to take jobs. */
  start(): void {
    this.worker.run().catch((error: unknown) => this.worker.emit('error', error as Error));
  }

  /** Takes no further job; the running one goes on. */
  async stopTaking(): Promise<void> {
    await this.worker.pause(true);
  }

  /** True when a job is running. */
  get busy(): boolean {
    return this.current !== undefined;
  }

  /** Resolves when the running job, if any, is out of our hands. */
  async idle(): Promise<void> {
    await this.current;
  }

  /** Closes the connections. Waits for BullMQ, which waits for Redis: have a deadline. */
  async close(): Promise<void> {
    await this.worker.close();
  }

  private async run(job: Job<IngestJob, JobResult>, token: string, options: SlotOptions): Promise<JobResult> {
    const parsed = ingestJobSchema.safeParse(job.data);
    if (!parsed.success) {
      const field = parsed.error.issues[0]?.path.join('.') || 'data';
      throw new UnrecoverableError(
        `bad-job-data: ${field} is not what a scanner writes. Remove the job; scans add their own.`,
      );
    }
    const outcome = await options.process({
      id: job.id ?? '',
      data: parsed.data,
      attempt: job.attemptsMade + 1,
      enqueuedAt: job.timestamp,
      own: async () => (await redisCall('extending the lock', () => job.extendLock(token, options.lockMs))) === 1,
      progress: async (progress) => {
        await job.updateProgress(progress).catch(() => undefined);
      },
    });
    switch (outcome.kind) {
      case 'completed':
        return outcome.result;
      case 'put-back':
        await ignoreLostLock(async () => {
          // the first time only: a file may be looked at for ten minutes
          if (parsed.data.heldSince === undefined)
            await job.log(`${new Date().toISOString()} not ready: ${outcome.why}`);
          await job.updateData(outcome.job);
          await job.moveToDelayed(Date.now() + outcome.delayMs, token);
        });
        throw new DelayedError(outcome.why);
      case 'hand-over':
        await ignoreLostLock(() => job.moveToWait(token));
        throw new WaitingError('handed over');
      case 'lost':
        // BullMQ's sign for "already moved": it touches nothing and fetches the next job
        throw new WaitingError('the lock is not ours');
      case 'failed':
        throw new UnrecoverableError(reasonOf(outcome.error));
      case 'retry':
        throw new Error(reasonOf(outcome.error), { cause: outcome.error });
    }
  }
}

function reasonOf(error: Error): string {
  const code = error instanceof CdrError ? error.code : 'unexpected';
  return `${code}: ${describeError(error)}`;
}

/** Moving a job that is no longer ours is refused by BullMQ; then it is in better hands already. */
async function ignoreLostLock(move: () => Promise<unknown>): Promise<void> {
  try {
    await move();
  } catch (error) {
    const known = toRedisError('moving a job', error);
    if (known.code === 'redis-unavailable') return; // its lock runs out, and another worker takes it
    if (!/lock/i.test(known.message) && !/missing key|not in the active state/i.test(known.message)) throw known;
  }
}
