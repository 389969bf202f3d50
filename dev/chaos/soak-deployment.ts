import { readFileSync } from 'node:fs';
import path from 'node:path';
import { BatchingWriters } from '@cdr/kafka/batching-writer';
import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import type { LedgerParts } from '@cdr/ledger/ledger-parts';
import { IngestQueue } from '@cdr/queue/ingest-queue';
import { LedgerProjection } from '@cdr/queue/ledger-projection';
import { openCommandConnection, untilReady, type Redis as RedisClient } from '@cdr/queue/redis-connection';
import { scannerConfig, type ScannerConfig } from '../../apps/scanner/src/config.ts';
import { KafkaProxy } from '../../tests/support/kafka-proxy.ts';
import { TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { DemoApp } from '../demo/demo-app.ts';
import type { Kafka } from '../services/kafka.ts';
import type { Parts } from '../services/parts.ts';
import type { Redis } from '../services/redis.ts';
import type { Sshd } from '../services/sshd.ts';

export const JOB_LOCK_MS = 3_000;
/** A dead worker is noticed within the lock and two of these. */
export const STALLED_INTERVAL_MS = JOB_LOCK_MS / 3;

const SOAK_SETTINGS = {
  SCAN_INTERVAL_MS: '500',
  STABLE_FOR_MS: '1000',
  JOB_LOCK_MS: String(JOB_LOCK_MS),
  WORKER_CONCURRENCY: '2',
  // small files are one transaction, large ones ten
  TRANSACTION_MAX_RECORDS: '2500',
  TRANSACTION_TIMEOUT_MS: '60000',
  SHUTDOWN_GRACE_MS: '2000',
  METRICS_PORT: '0',
  LOG_LEVEL: 'info',
};

/** The proxies that all workers but the first go through. */
export interface Proxies {
  readonly kafka: KafkaProxy;
  readonly redis: TcpProxy;
  readonly sftp: TcpProxy;
}

/** The services that a fault may be done to. */
export interface Services {
  readonly kafka: Kafka;
  readonly redis: Redis;
  readonly sshd: Sshd;
}

/** The ingester of the soak: its processes, the proxies before them, and what the soak asks Redis and Kafka itself. */
export class SoakDeployment {
  readonly config: ScannerConfig;
  readonly services: Services;
  readonly proxies: Proxies;
  readonly scanner: DemoApp;
  /** Runs only while a fault is that there are two. */
  readonly secondScanner: DemoApp;
  readonly workers: readonly DemoApp[];
  readonly ledger: LedgerParts;
  readonly queue: IngestQueue;
  readonly cluster: KafkaCluster;
  readonly #redis: RedisClient;

  private constructor(parts: Parts, services: Services, proxies: Proxies, workers: number) {
    const env = { ...parts.env, ...SOAK_SETTINGS };
    const proxied = {
      KAFKA_BROKERS: proxies.kafka.brokers,
      REDIS_URL: `redis://127.0.0.1:${proxies.redis.port}`,
      SFTP_PORT: String(proxies.sftp.port),
    };
    const app = (name: string, app: 'scanner' | 'worker', settings: Record<string, string> = {}): DemoApp =>
      new DemoApp({ name, app, instanceDir: parts.instance.dir, settings: { ...env, ...settings } });
    this.services = services;
    this.proxies = proxies;
    this.config = scannerConfig(env, (file) => readFileSync(file, 'utf8'));
    this.scanner = app('scanner', 'scanner');
    this.secondScanner = app('scanner-2', 'scanner', proxied);
    this.workers = Array.from({ length: workers }, (_, i) => app(`worker-${i + 1}`, 'worker', i > 0 ? proxied : {}));
    const { kafka, topics, redis } = this.config;
    this.cluster = new KafkaCluster({ ...kafka, clientId: 'cdr-soak' });
    this.#redis = openCommandConnection({ url: redis.url }, () => undefined);
    this.queue = new IngestQueue(redis, this.#redis, () => undefined);
    this.ledger = {
      writers: new BatchingWriters(this.cluster, {
        ledgerTopic: topics.ledgerTopic,
        compression: 'none',
        transactionTimeoutMs: 60_000,
      }),
      ledgerReader: new LedgerReader(this.cluster, topics.ledgerTopic),
      projection: new LedgerProjection(this.#redis, redis),
      ledger: () => ({ clusterId: this.cluster.clusterId, topic: topics.ledgerTopic }),
    };
  }

  /** Starts the proxies and works out the settings. Throws when a part is not ours: faults are not for others' servers. */
  static async plan(parts: Parts, workers: number): Promise<SoakDeployment> {
    const { kafka, redis, sshd } = parts;
    if (!kafka || !redis || !sshd)
      throw new Error('The soak kills its services: unset SFTP_HOST, REDIS_URL and KAFKA_BROKERS in the environment.');
    const proxies = {
      kafka: await KafkaProxy.start((parts.env['KAFKA_BROKERS'] ?? '').split(',')),
      redis: await TcpProxy.start({ host: '127.0.0.1', port: redis.port }),
      sftp: await TcpProxy.start({ host: '127.0.0.1', port: sshd.port }),
    };
    return new SoakDeployment(parts, { kafka, redis, sshd }, proxies, workers);
  }

  get apps(): readonly DemoApp[] {
    return [this.scanner, ...this.workers];
  }

  get snapshotDir(): string {
    return path.join(path.dirname(path.dirname(this.scanner.logFile)), 'redis-snapshot');
  }

  async start(): Promise<void> {
    for (const app of this.apps) await app.start();
    await Promise.all(this.apps.map((app) => app.untilReady()));
    const { recordTopics, rejectsTopic, ledgerTopic } = this.config.topics;
    await Promise.all([
      this.cluster.connect([...recordTopics, rejectsTopic, ledgerTopic]),
      untilReady(this.#redis),
      this.queue.untilReady(),
    ]);
  }

  /** The soak's own connection to Redis, the straight way. */
  get redis(): RedisClient {
    return this.#redis;
  }

  /** Closes the soak's own connections and the proxies, and asks every process to leave. */
  async stop(): Promise<void> {
    await Promise.allSettled([this.queue.close(), this.cluster.close()]);
    this.#redis.disconnect();
    await Promise.all(this.apps.map((app) => app.stop()));
    for (const proxy of [this.proxies.kafka, this.proxies.redis, this.proxies.sftp]) proxy.close();
  }
}
