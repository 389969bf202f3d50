import { setTimeout as sleep } from 'node:timers/promises';
import { jobIdOf } from '@cdr/core/job-id';
import { BatchingWriters } from '@cdr/kafka/batching-writer';
import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import { ensureTopics } from '@cdr/kafka/topics';
import { KeepUp } from '@cdr/ledger/keep-up';
import type { LedgerParts } from '@cdr/ledger/ledger-parts';
import { IngestSlot, type HeldJob, type JobOutcome } from '@cdr/queue/ingest-slot';
import { LedgerProjection } from '@cdr/queue/ledger-projection';
import { openCommandConnection, probeRedis, redisWarnings, untilReady, type Redis } from '@cdr/queue/redis-connection';
import { SftpPool } from '@cdr/sftp/sftp-pool';
import { startHealthServer, type HealthServer } from '@cdr/telemetry/health-server';
import { killSelf } from '@cdr/telemetry/kill-self';
import { LogThrottle } from '@cdr/telemetry/log-throttle';
import type { Logger } from '@cdr/telemetry/logger';
import { createRegistry } from '@cdr/telemetry/metrics';
import { logOutages, Outages, readiness } from '@cdr/telemetry/outages';
import { prepareAfterIngest } from './after-ingest.ts';
import { announceToNobody, type Announce } from './attempt-points.ts';
import type { WorkerConfig } from './config.ts';
import type { AttemptParts } from './ingest-file.ts';
import { runJob } from './ingest-worker.ts';
import { workerMetrics } from './worker-metrics.ts';

/** After the grace and the hand-over of what was running, the process leaves within this, whatever hangs. */
const LEAVE_WITHIN_MS = 5_000;

/** A worker: its connections, its slots, and how it starts and leaves. */
export class WorkerProcess {
  private readonly config: WorkerConfig;
  private readonly log: Logger;
  private readonly announce: Announce;
  private readonly shutdown = new AbortController();
  private readonly stopped = Promise.withResolvers<string>();

  /** `announce` is for crash tests; nobody listens in production. */
  constructor(config: WorkerConfig, log: Logger, announce: Announce = announceToNobody) {
    this.config = config;
    this.log = log;
    this.announce = announce;
  }

  /** Asks the worker to leave; `run` resolves when it has. */
  stop(why: string): void {
    this.stopped.resolve(why);
  }

  /** Starts, works until `stop`, and leaves in order. Never throws for a dependency that is away: it waits for it. */
  async run(): Promise<void> {
    const { config, log } = this;
    const throttle = new LogThrottle();
    const onRedisError = (error: Error): void =>
      throttle.run(`redis ${error.message}`, (suppressed) =>
        log.warn({ problem: error.message, suppressed }, 'Redis connection'),
      );

    const registry = createRegistry('worker');
    const metrics = workerMetrics(registry);
    const redis = openCommandConnection(config.redis, onRedisError);
    const cluster = new KafkaCluster(config.kafka);
    const sftp = new SftpPool(config.sftp);
    const outages = new Outages({
      probes: {
        redis: () => probeRedis(redis),
        kafka: () => cluster.probe(),
        sftp: () => sftp.probe(),
      },
      report: logOutages(log, (dependency, up) => metrics.dependencyUp.set({ dependency }, up ? 1 : 0)),
    });

    let started = false;
    const health = await startHealthServer({
      port: config.metricsPort,
      registry,
      live: () => ({ ok: true }),
      ready: () => readiness(outages, started),
    });
    log.info({ port: health.port, slots: config.slots, worker: config.attempt.worker }, 'worker starting');

    const ledgerParts: LedgerParts = {
      writers: new BatchingWriters(cluster, config.writer),
      ledgerReader: new LedgerReader(cluster, config.topics.ledgerTopic),
      projection: new LedgerProjection(redis, config.redis),
      ledger: () => ({ clusterId: cluster.clusterId, topic: config.topics.ledgerTopic }),
    };
    const parts: AttemptParts = {
      ...ledgerParts,
      feeds: config.feeds,
      sftp,
      keepUp: new KeepUp(ledgerParts),
      settings: config.attempt,
      shutdown: this.shutdown.signal,
      metrics,
      announce: this.announce,
    };
    const slots = Array.from(
      { length: config.slots },
      () =>
        new IngestSlot({
          redis: config.redis,
          worker: config.attempt.worker,
          lockMs: config.lockMs,
          onError: onRedisError,
          process: (job) => this.runOne(job, parts, outages),
        }),
    );

    const leaving = this.stopped.promise;
    void leaving.then((why) => {
      log.info({ why, graceMs: config.shutdownGraceMs }, 'worker stopping: taking no further file');
      // whatever hangs, Redis being gone above all: the broker aborts, and the lock runs out
      setTimeout(killSelf, config.shutdownGraceMs + LEAVE_WITHIN_MS).unref();
    });

    const ready = Promise.all([
      outages.untilDone('redis', () => this.checkRedis(redis), this.shutdown.signal),
      outages.untilDone('kafka', () => this.prepareKafka(cluster), this.shutdown.signal),
      outages.untilDone('sftp', () => this.prepareSftp(sftp), this.shutdown.signal),
    ]).then(
      () => true,
      () => false,
    );
    if (await Promise.race([ready, leaving.then(() => false)])) {
      started = true;
      for (const slot of slots) slot.start();
      log.info('worker ready');
      await leaving;
    }
    await this.leave(slots, health, outages, async () => {
      await Promise.allSettled([sftp.close(), cluster.close()]);
      redis.disconnect();
    });
  }

  private async prepareSftp(sftp: SftpPool): Promise<void> {
    await sftp.probe();
    await prepareAfterIngest(sftp, this.config.attempt.afterIngest);
  }

  private async checkRedis(redis: Redis): Promise<void> {
    await untilReady(redis);
    for (const warning of await redisWarnings(redis)) this.log.warn(warning);
  }

  private async prepareKafka(cluster: KafkaCluster): Promise<void> {
    const { kafka, topics } = this.config;
    for (const { topic, created, warnings } of await ensureTopics(kafka, topics)) {
      if (created) this.log.info({ topic }, 'topic created');
      for (const warning of warnings) this.log.warn({ topic }, warning);
    }
    await cluster.connect([...topics.recordTopics, topics.rejectsTopic, topics.ledgerTopic]);
  }

  private async runOne(job: HeldJob, parts: AttemptParts, outages: Outages): Promise<JobOutcome> {
    const { file } = job.data;
    const log = this.log.child({ fileKey: file, jobId: jobIdOf(file), attempt: job.attempt });
    parts.metrics.busySlots.inc();
    try {
      return await runJob(job, parts, outages, log);
    } finally {
      parts.metrics.busySlots.dec();
    }
  }

  /** Files that end within the grace are finished; the rest is aborted and handed back. */
  private async leave(
    slots: readonly IngestSlot[],
    health: HealthServer,
    outages: Outages,
    closeConnections: () => Promise<void>,
  ): Promise<void> {
    await Promise.all(slots.map((slot) => slot.stopTaking()));
    const idle = Promise.all(slots.map((slot) => slot.idle()));
    await Promise.race([idle, sleep(this.config.shutdownGraceMs, undefined, { ref: false })]);
    this.shutdown.abort();
    await idle;
    outages.close();
    await Promise.allSettled([...slots.map((slot) => slot.close()), closeConnections(), health.close()]);
    this.log.info('worker stopped');
  }
}
