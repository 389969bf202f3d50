import type { IngestJob } from '@cdr/core/ingest-job';
import { jobIdOf } from '@cdr/core/job-id';
import { Queue, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { AppProcess, FAST } from './app-process.ts';
import { pollUntil } from './poll-until.ts';
import { TestWorld } from './test-world.ts';

export const OPERATOR = { user: 'operator', password: 'correct-horse' };
export const VIEWER = { user: 'guest', password: 'battery-staple' };

/** A dashboard as a process of its own, and the queue that it shows. */
export class DashboardScenario {
  readonly world = new TestWorld();
  readonly redis: Redis;
  readonly queue: Queue<IngestJob>;

  constructor() {
    const quiet = { maxRetriesPerRequest: null, retryStrategy: () => 100 };
    this.redis = new Redis(this.world.redisUrl, quiet);
    this.redis.on('error', () => undefined);
    this.queue = new Queue('cdr-files', {
      prefix: this.world.redisPrefix,
      connection: { url: this.world.redisUrl, ...quiet },
    });
    this.queue.on('error', () => undefined);
    onTestFinished(async () => {
      await this.queue.close();
      this.redis.disconnect();
    });
  }

  /** Starts a dashboard with both logins; resolves when it listens. */
  async start(env: Record<string, string> = {}): Promise<Dashboard> {
    const app = AppProcess.start('dashboard', {
      ...FAST,
      ...this.world.env,
      DASHBOARD_PORT: '0',
      DASHBOARD_PASSWORD: OPERATOR.password,
      DASHBOARD_READONLY_USER: VIEWER.user,
      DASHBOARD_READONLY_PASSWORD: VIEWER.password,
      ...env,
    });
    const line = await app.untilLine('its address', ({ dashboardPort }) => typeof dashboardPort === 'number');
    return new Dashboard(app, Number(line['dashboardPort']));
  }

  async add(file: string, options: { delay?: number } = {}): Promise<string> {
    const jobId = jobIdOf(file);
    const data = { file, feed: 'data', size: 100, mtimeMs: 1_732_320_000_000, generation: 1 };
    await this.queue.add('data', data, { jobId, attempts: 8, backoff: { type: 'fixed' }, ...options });
    return jobId;
  }

  /** Works through the queue one by one until it is empty; `work` throws to fail a job. Returns the files, in order. */
  async work(work: (file: string) => void): Promise<string[]> {
    const done: string[] = [];
    const worker = new Worker<IngestJob>(
      'cdr-files',
      async (job) => {
        done.push(job.data.file);
        await job.log(`attempt at ${job.data.file}`);
        work(job.data.file);
        return { outcome: 'ingested', generation: 1, rows: 3, messages: 2, rejects: 1 };
      },
      {
        prefix: this.world.redisPrefix,
        connection: { url: this.world.redisUrl, maxRetriesPerRequest: null },
        drainDelay: 1,
      },
    );
    worker.on('error', () => undefined);
    try {
      await pollUntil('the queue to be worked off', async () => {
        const counts = await this.queue.getJobCounts('wait', 'active');
        return counts['wait'] === 0 && counts['active'] === 0;
      });
    } finally {
      await worker.close();
    }
    return done;
  }

  /** Has a job that failed for good with this reason. Returns its id. */
  async addFailed(file: string, reason = `bad-header: ${file} line 1`): Promise<string> {
    const jobId = await this.add(file);
    await this.work(() => {
      throw new UnrecoverableError(reason);
    });
    return jobId;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Speaks HTTP to a dashboard as a browser would, with a cookie once logged in. */
export class Dashboard {
  readonly app: AppProcess;
  readonly url: string;
  private readonly cookie: string | undefined;

  constructor(app: AppProcess, port: number, cookie?: string) {
    this.app = app;
    this.url = `http://127.0.0.1:${port}`;
    this.cookie = cookie;
  }

  /** Follows no redirect. What changes something carries our Origin unless told otherwise. */
  async ask(path: string, { method = 'GET', headers = {}, ...rest }: AskOptions = {}): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(method === 'GET' ? {} : { origin: this.url }),
        ...(this.cookie === undefined ? {} : { cookie: this.cookie }),
        ...headers,
      },
      ...rest,
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  async tryLogin(login: { user: string; password: string }, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams(login).toString(),
    });
  }

  /** The same dashboard for somebody who is logged in. */
  async as(login: { user: string; password: string }): Promise<Dashboard> {
    const { status, headers } = await this.tryLogin(login);
    if (status !== 303) throw new Error(`the login of ${login.user} was answered with ${status}`);
    const cookie = headers.getSetCookie()[0]?.split(';', 1)[0] ?? '';
    return new Dashboard(this.app, Number(new URL(this.url).port), cookie);
  }

  /** A call of Bull Board's own interface. */
  async board(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.ask(`/queues/api/queues/cdr-files${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  }
}
