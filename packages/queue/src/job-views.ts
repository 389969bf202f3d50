import { errorCodeOf, ERROR_CODES, type ErrorCode } from '@cdr/core/errors';
import { ingestJobSchema, type IngestJob } from '@cdr/core/ingest-job';
import { fileKeyOf, jobIdOf } from '@cdr/core/job-id';
import type { Job, JobType } from 'bullmq';
import type { IngestQueue } from './ingest-queue.ts';
import { redisCall } from './redis-connection.ts';

/** A job as an operator sees it. Times are ms since 1970. */
export interface JobView {
  readonly file: string;
  readonly state: string;
  /** Undefined when it is not what a scanner writes. */
  readonly data: IngestJob | undefined;
  readonly attemptsMade: number;
  readonly addedAt: number;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  readonly progress: unknown;
  readonly result: unknown;
  /** Of a failed one: the error's code and the text with what to do. */
  readonly failure: { readonly code: ErrorCode; readonly reason: string } | undefined;
}

export type ListedState = 'waiting' | 'active' | 'delayed' | 'failed';

const LISTS: Readonly<Record<ListedState, JobType[]>> = {
  waiting: ['wait', 'prioritized'],
  active: ['active'],
  delayed: ['delayed'],
  failed: ['failed'],
};
/** Jobs read at a time. */
const CHUNK = 500;

/** Looks at jobs for an operator; failed-jobs.ts acts on them. Every method throws CdrError `redis-unavailable`. */
export class JobViews {
  private readonly queue: IngestQueue['bullQueue'];

  /** The queue stays the caller's. */
  constructor(queue: IngestQueue) {
    this.queue = queue.bullQueue;
  }

  async isPaused(): Promise<boolean> {
    return redisCall('asking the queue', () => this.queue.isPaused());
  }

  /** When the job that waits longest was added, ms since 1970; undefined when none waits. */
  async oldestWaitingSince(): Promise<number | undefined> {
    return redisCall('reading the queue', async () => {
      const heads = await Promise.all(LISTS.waiting.map((list) => this.queue.getJobs([list], 0, 0, true)));
      const added = heads.flat().map(({ timestamp }) => timestamp);
      return added.length > 0 ? Math.min(...added) : undefined;
    });
  }

  /** Files with a job in a list, in the list's order. */
  async filesIn(state: ListedState): Promise<string[]> {
    const ids = await redisCall('listing jobs', () => this.queue.getRanges(LISTS[state], 0, -1, true));
    return ids.flatMap((id) => fileKeyOf(id) ?? []);
  }

  /** Undefined when the queue has no job of this file. */
  async find(file: string): Promise<JobView | undefined> {
    return redisCall('looking up a job', async () => {
      const id = jobIdOf(file);
      const job = await this.queue.getJob(id);
      return job ? viewOf(file, await this.queue.getJobState(id), job) : undefined;
    });
  }

  /** Lines that a job's attempts have logged, oldest first. */
  async logOf(file: string): Promise<readonly string[]> {
    return redisCall("reading a job's log", async () => (await this.queue.getJobLogs(jobIdOf(file))).logs);
  }

  /** Failed jobs, the one that failed first first, a few hundred at a time. */
  async *failed(): AsyncGenerator<JobView> {
    // the ids at one moment: a page of a list that shrinks meanwhile would skip some
    const files = await this.filesIn('failed');
    for (let start = 0; start < files.length; start += CHUNK) {
      const chunk = files.slice(start, start + CHUNK);
      const jobs = await redisCall('reading jobs', () =>
        Promise.all(chunk.map((file) => this.queue.getJob(jobIdOf(file)))),
      );
      for (const [i, job] of jobs.entries()) if (job) yield viewOf(chunk[i] as string, 'failed', job);
    }
  }
}

function viewOf(file: string, state: string, job: Job<IngestJob>): JobView {
  const data = ingestJobSchema.safeParse(job.data);
  return {
    file,
    state,
    data: data.success ? data.data : undefined,
    attemptsMade: job.attemptsMade,
    addedAt: job.timestamp,
    startedAt: job.processedOn,
    finishedAt: job.finishedOn,
    progress: job.progress,
    result: job.returnvalue as unknown,
    failure: job.failedReason ? { code: codeOf(job.failedReason), reason: job.failedReason } : undefined,
  };
}

/** Workers begin a reason with its code; BullMQ's own reasons have none. */
function codeOf(reason: string): ErrorCode {
  const word = /^([a-z-]+): /.exec(reason)?.[1];
  return ERROR_CODES.find((code) => code === word) ?? errorCodeOf(undefined);
}
