import { createHash } from 'node:crypto';
import { generateCdrFiles, type GeneratedFile } from '@cdr/core/generate-cdr';
import { jobIdOf } from '@cdr/core/job-id';
import type { IngestJob } from '@cdr/core/ingest-job';
import { parseLedgerRecord, type LedgerRecord } from '@cdr/core/ledger-record';
import { Queue, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { expect, onTestFinished } from 'vitest';
import { AppProcess, FAST } from './app-process.ts';
import { KafkaProxy } from './kafka-proxy.ts';
import type { JavaConsumer } from './java-consumer.ts';
import { pollUntil, type PollOptions } from './poll-until.ts';
import { TestWorld } from './test-world.ts';

/** One test's deployment: its world, its apps as processes, and what is asked of them. */
export class Scenario {
  readonly world: TestWorld;
  readonly java: JavaConsumer;
  /** What its apps are started with. */
  readonly env: Record<string, string>;
  private readonly redis: Redis;
  private readonly queue: Queue<IngestJob>;

  constructor(java: JavaConsumer, env: Record<string, string> = {}, world = new TestWorld()) {
    this.java = java;
    this.world = world;
    this.env = { ...FAST, ...world.env, ...env };
    const quiet = { maxRetriesPerRequest: null, retryStrategy: () => 100 };
    this.redis = new Redis(world.redisUrl, quiet);
    this.redis.on('error', () => undefined);
    this.queue = new Queue('cdr-files', { prefix: world.redisPrefix, connection: { url: world.redisUrl, ...quiet } });
    this.queue.on('error', () => undefined);
    onTestFinished(async () => {
      await this.queue.close();
      this.redis.disconnect();
    });
  }

  /** The directory that is scanned, for SFTP clients. */
  get remotePath(): string {
    return this.world.files.remotePath;
  }

  scanner(env: Record<string, string> = {}): AppProcess {
    return AppProcess.start('scanner', { ...this.env, ...env });
  }

  worker(env: Record<string, string> = {}): AppProcess {
    return AppProcess.start('worker', { ...this.env, ...env });
  }

  /** A scanner with a fault: `POINT:ACTION[:N]`, see fault.ts. */
  faultyScanner(fault: string, env: Record<string, string> = {}): AppProcess {
    return AppProcess.start('faulty-scanner', { ...this.env, FAULT: fault, ...env });
  }

  /** A worker with a fault: `POINT:ACTION[:N]`, see fault.ts. */
  faultyWorker(fault: string, env: Record<string, string> = {}): AppProcess {
    return AppProcess.start('faulty-worker', { ...this.env, FAULT: fault, ...env });
  }

  /** Generates files and puts them on the server. */
  upload(files: number, rowsPerFile: number, seed = 1): GeneratedFile[] {
    const generated = [...generateCdrFiles({ files, rowsPerFile, seed })];
    for (const { name, content } of generated) this.world.files.write(name, content, { atomic: true });
    return generated;
  }

  /** One file, large enough for several chunks of the reader and, with TRANSACTION_MAX_RECORDS, several transactions. */
  uploadLarge(rows: number, seed = 7): GeneratedFile {
    const [file] = this.upload(1, rows, seed);
    if (!file) throw new Error('no file');
    return file;
  }

  /** A proxy before the brokers, for the environment of one app: `{ KAFKA_BROKERS: proxy.brokers }`. */
  async kafkaProxy(): Promise<KafkaProxy> {
    const proxy = await KafkaProxy.start(this.world.brokers);
    onTestFinished(() => proxy.close());
    return proxy;
  }

  /** The newest ledger record of each file, read by Java's consumer. */
  async ledger(): Promise<Map<string, LedgerRecord>> {
    const newest = new Map<string, LedgerRecord>();
    for (const { key, value } of await this.java.read(this.world.topics.ledger)) {
      const parsed = parseLedgerRecord(value ?? '');
      if (!parsed.ok) throw new Error(`ledger record of ${key}: ${parsed.problem}`);
      newest.set(key ?? '', parsed.record);
    }
    return newest;
  }

  /** The projection's record of a file: fast, for waiting. */
  async known(file: string): Promise<LedgerRecord | undefined> {
    const value = await this.redis.hget(`${this.world.redisPrefix}:ledger`, file);
    return value ? (JSON.parse(value.slice(value.indexOf(' ') + 1)) as LedgerRecord) : undefined;
  }

  /** Resolves when all of these files are committed. */
  async untilCommitted(files: readonly string[], options: PollOptions = {}): Promise<void> {
    await pollUntil(
      `${files.length} files to be committed`,
      async () => {
        const records = await Promise.all(files.map((file) => this.known(file)));
        const open = files.filter((_, i) => records[i]?.state !== 'committed');
        if (open.length > 0) throw new Error(`open: ${open.slice(0, 5).join(', ')}`);
        return true;
      },
      { deadlineMs: 120_000, intervalMs: 50, ...options },
    );
  }

  /** Resolves when so many of these files are committed. */
  async untilSome(files: readonly { readonly name: string }[], count: number): Promise<void> {
    await pollUntil(
      `${count} of ${files.length} files to be committed`,
      async () => {
        const records = await Promise.all(files.map(({ name }) => this.known(name)));
        return records.filter((record) => record?.state === 'committed').length >= count;
      },
      { deadlineMs: 150_000, intervalMs: 50 },
    );
  }

  async job(file: string): Promise<Job<IngestJob> | undefined> {
    return this.queue.getJob(jobIdOf(file));
  }

  async untilJob(
    file: string,
    what: string,
    fits: (state: string, job: Job<IngestJob>) => boolean,
    options?: PollOptions,
  ): Promise<Job<IngestJob>> {
    return pollUntil(
      `the job of ${file} ${what}`,
      async () => {
        // the state first: what it says of the job is in the job that is read after it
        const state = await this.queue.getJobState(jobIdOf(file));
        const job = await this.job(file);
        return job && fits(state, job) ? job : undefined;
      },
      options,
    );
  }

  async flushRedis(): Promise<void> {
    await this.redis.flushall();
  }

  /** Resolves when the job of this file is completed, with what its attempts have cost. */
  async untilCompleted(file: string, options?: PollOptions): Promise<Job<IngestJob>> {
    return this.untilJob(file, 'to be completed', (state) => state === 'completed', {
      deadlineMs: 120_000,
      ...options,
    });
  }

  /** As if the lease had run out: the next scanner to ask may scan. */
  async dropScanLease(): Promise<void> {
    await this.redis.del(`${this.world.redisPrefix}:scan-lease`);
  }

  /** Resolves when the queue has nothing to do about this file. */
  async untilSettled(file: string, options?: PollOptions): Promise<void> {
    await pollUntil(
      `the queue to be done with ${file}`,
      async () => ['completed', 'failed', 'unknown'].includes(await this.queue.getJobState(jobIdOf(file))),
      options,
    );
  }

  /** Adds a job of whatever data, as a dashboard could. */
  async enqueueAnything(file: string, data: unknown): Promise<void> {
    await this.queue.add('data', data as IngestJob, { jobId: jobIdOf(file), attempts: 8, backoff: { type: 'custom' } });
  }

  /** What Redis remembers of the ledger, to be changed by hand: a hash. */
  async changeProjection(change: (redis: Redis, key: string) => Promise<unknown>): Promise<void> {
    await change(this.redis, `${this.world.redisPrefix}:ledger`);
  }

  /** Adds a job as a scanner would. */
  async enqueue(job: IngestJob): Promise<void> {
    await this.queue.add(job.feed, job, { jobId: jobIdOf(job.file), attempts: 8, backoff: { type: 'custom' } });
  }

  /**
   * Compares what Java's read_committed consumer finds in the record topics with the rows of these files, each exactly
   * once, and the ledger's counts with both. Files must be clean: a row a line, no quotes.
   */
  async expectExactly(files: readonly { readonly name: string; readonly content: Buffer | string }[]): Promise<void> {
    const { data, voice } = this.world.topics;
    const messages = await this.java.read([data, voice]);
    const found = messages.map(({ topic, key, value }) => {
      const row = JSON.parse(value ?? '') as Record<string, string>;
      const { _source_file, _ingestion_timestamp, _record_type, ...columns } = row;
      expect(_ingestion_timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
      expect(topic).toBe(_record_type === 'data' ? data : voice);
      expect(key).toBe(row['msisdn']);
      return `${_source_file}:${Object.values(columns).join(',')}`;
    });
    const expected = files.flatMap(({ name, content }) => rowsOf(content).map((row) => `${name}:${row}`));
    // the counts first: a difference of two large lists says less
    expect(countByFile(found)).toEqual(countByFile(expected));
    expect(digest(found)).toBe(digest(expected));
    const ledger = await this.ledger();
    for (const { name, content } of files) {
      const rows = rowsOf(content).length;
      const record = ledger.get(name);
      expect({ name, rows: record?.rows, messages: record?.messages, state: record?.state }).toEqual({
        name,
        rows,
        messages: rows,
        state: 'committed',
      });
    }
  }
}

function rowsOf(content: Buffer | string): string[] {
  return content
    .toString()
    .split(/\r?\n/)
    .slice(1)
    .filter((line) => line !== '');
}

function countByFile(rows: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const row of rows) {
    const file = row.slice(0, row.indexOf(':'));
    counts[file] = (counts[file] ?? 0) + 1;
  }
  return counts;
}

function digest(rows: readonly string[]): string {
  const hash = createHash('sha256');
  for (const row of rows.toSorted()) hash.update(row).update('\n');
  return hash.digest('hex');
}
