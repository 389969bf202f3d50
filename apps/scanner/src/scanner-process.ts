import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import { ensureTopics } from '@cdr/kafka/topics';
import { ProjectionCheck } from '@cdr/ledger/projection-check';
import { SettlingFiles } from '@cdr/core/settling';
import { IngestQueue } from '@cdr/queue/ingest-queue';
import { LedgerProjection } from '@cdr/queue/ledger-projection';
import { openCommandConnection, probeRedis, redisWarnings, untilReady, type Redis } from '@cdr/queue/redis-connection';
import { ScanLease } from '@cdr/queue/scan-lease';
import { SftpPool } from '@cdr/sftp/sftp-pool';
import { startHealthServer } from '@cdr/telemetry/health-server';
import { killSelf } from '@cdr/telemetry/kill-self';
import { LogThrottle } from '@cdr/telemetry/log-throttle';
import type { Logger } from '@cdr/telemetry/logger';
import { createRegistry } from '@cdr/telemetry/metrics';
import { logOutages, Outages, readiness } from '@cdr/telemetry/outages';
import type { ScannerConfig } from './config.ts';
import { scanLoop } from './scan-loop.ts';
import { announceToNobody, type AnnounceScan } from './scan-points.ts';
import { scannerMetrics } from './scanner-metrics.ts';

const LEAVE_WITHIN_MS = 5_000;
/** Longer than a scan of a huge directory; a scanner that dies is replaced after it. */
const SHORTEST_LEASE_MS = 15_000;

/** A scanner: its connections, its loop, and how it starts and leaves. */
export class ScannerProcess {
  private readonly config: ScannerConfig;
  private readonly log: Logger;
  private readonly announce: AnnounceScan;
  private readonly stopping = new AbortController();

  /** `announce` is for crash tests; nobody listens in production. */
  constructor(config: ScannerConfig, log: Logger, announce: AnnounceScan = announceToNobody) {
    this.config = config;
    this.log = log;
    this.announce = announce;
  }

  /** Asks the scanner to leave; `run` resolves when it has. */
  stop(why: string): void {
    if (this.stopping.signal.aborted) return;
    this.log.info({ why }, 'scanner stopping');
    setTimeout(killSelf, LEAVE_WITHIN_MS).unref();
    this.stopping.abort();
  }

  /** Scans until `stop`. Never throws for a dependency that is away: it waits for it. */
  async run(): Promise<void> {
    const { config, log } = this;
    const throttle = new LogThrottle();
    const onRedisError = (error: Error): void =>
      throttle.run(`redis ${error.message}`, (suppressed) =>
        log.warn({ problem: error.message, suppressed }, 'Redis connection'),
      );

    const registry = createRegistry('scanner');
    const metrics = scannerMetrics(registry);
    const redis = openCommandConnection(config.redis, onRedisError);
    const cluster = new KafkaCluster(config.kafka);
    const sftp = new SftpPool(config.sftp);
    const queue = new IngestQueue(config.redis, redis, onRedisError);
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
    log.info({ port: health.port }, 'scanner starting');

    const projection = new LedgerProjection(redis, config.redis);
    const ledgerReader = new LedgerReader(cluster, config.topics.ledgerTopic);
    const lease = new ScanLease(redis, config.redis, Math.max(SHORTEST_LEASE_MS, config.scanIntervalMs * 3));
    const stop = this.stopping.signal;
    try {
      await Promise.all([
        outages.untilDone('redis', () => this.checkRedis(redis, queue), stop),
        outages.untilDone('kafka', () => this.prepareKafka(cluster), stop),
        outages.untilDone('sftp', () => sftp.probe(), stop),
      ]);
      started = true;
      log.info({ directory: config.sftp.remotePath }, `Connected to SFTP server: ${config.sftp.host}`);
      await scanLoop(
        {
          sftp,
          queue,
          projection,
          ledgerReader,
          projectionCheck: new ProjectionCheck(projection, ledgerReader),
          ledger: () => ({ clusterId: cluster.clusterId, topic: config.topics.ledgerTopic }),
          feeds: config.feeds,
          settling: new SettlingFiles(config.stableForMs),
          remotePath: config.sftp.remotePath,
          changedFiles: config.changedFiles,
          announce: this.announce,
        },
        lease,
        config.scanIntervalMs,
        outages,
        metrics,
        log,
        stop,
      );
      await lease.release();
    } catch (error) {
      if (!stop.aborted) throw error;
    } finally {
      outages.close();
      await Promise.allSettled([queue.close(), sftp.close(), cluster.close(), health.close()]);
      redis.disconnect();
    }
    log.info('scanner stopped');
  }

  private async checkRedis(redis: Redis, queue: IngestQueue): Promise<void> {
    await untilReady(redis);
    await queue.untilReady();
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
}
