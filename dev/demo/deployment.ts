import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import { IngestQueue } from '@cdr/queue/ingest-queue';
import { openCommandConnection, untilReady, type Redis } from '@cdr/queue/redis-connection';
import { scannerConfig, type ScannerConfig } from '../../apps/scanner/src/config.ts';
import { freePort } from '../services/free-port.ts';
import type { Parts } from '../services/parts.ts';
import { DemoApp } from './demo-app.ts';

/** Files that a worker works on at a time. */
export const SLOTS = 2;
/** A dead worker's file is taken over after this, and up to two thirds of it more. */
export const JOB_LOCK_MS = 3_000;

const DASHBOARD = path.resolve(import.meta.dirname, '../../apps/dashboard/src/main.ts');
const DASHBOARD_PORT = 3_000;

/** Settings that make everything happen soon; the others are production's. */
const DEMO_SETTINGS = {
  SCAN_INTERVAL_MS: '500',
  STABLE_FOR_MS: '1000',
  JOB_LOCK_MS: String(JOB_LOCK_MS),
  WORKER_CONCURRENCY: String(SLOTS),
  METRICS_PORT: '0',
  LOG_LEVEL: 'info',
};

/** The ingester on the parts of the demo: its settings, its processes, and what the demo asks Redis and Kafka itself. */
export class Deployment {
  /** The environment of every app. */
  readonly env: Readonly<Record<string, string>>;
  readonly config: ScannerConfig;
  readonly scanner: DemoApp;
  readonly workers: readonly DemoApp[];
  /** Where there is one in this checkout. */
  readonly dashboard: DemoApp | undefined;
  readonly dashboardUrl: string;
  readonly cluster: KafkaCluster;
  readonly ledgerReader: LedgerReader;
  readonly queue: IngestQueue;
  readonly #redis: Redis;

  private constructor(parts: Parts, workers: number, dashboardPort: number) {
    this.env = { ...parts.env, ...namesOn(parts), ...DEMO_SETTINGS };
    this.config = scannerConfig(this.env, (file) => readFileSync(file, 'utf8'));
    const app = (name: string, app: 'scanner' | 'worker' | 'dashboard', settings = {}): DemoApp =>
      new DemoApp({ name, app, instanceDir: parts.instance.dir, settings: { ...this.env, ...settings } });
    this.scanner = app('scanner', 'scanner');
    this.workers = Array.from({ length: workers }, (_, index) => app(`worker-${index + 1}`, 'worker'));
    this.dashboardUrl = `http://127.0.0.1:${dashboardPort}`;
    this.dashboard = existsSync(DASHBOARD)
      ? app('dashboard', 'dashboard', { DASHBOARD_PORT: String(dashboardPort) })
      : undefined;
    const { kafka, topics, redis } = this.config;
    this.cluster = new KafkaCluster({ ...kafka, clientId: 'cdr-demo' });
    this.ledgerReader = new LedgerReader(this.cluster, topics.ledgerTopic);
    // what is wrong with a connection shows in the next command
    this.#redis = openCommandConnection({ url: redis.url }, () => undefined);
    this.queue = new IngestQueue(redis, this.#redis, () => undefined);
  }

  /** Works out the settings; nothing is started. */
  static async plan(parts: Parts, workers: number): Promise<Deployment> {
    return new Deployment(parts, workers, await freePort(DASHBOARD_PORT));
  }

  get apps(): readonly DemoApp[] {
    return [this.scanner, ...this.workers, ...(this.dashboard ? [this.dashboard] : [])];
  }

  get topics(): { data: string; voice: string; rejects: string } {
    const { CDR_DATA_TOPIC: data = '', CDR_VOICE_TOPIC: voice = '' } = this.env;
    return { data, voice, rejects: this.config.topics.rejectsTopic };
  }

  /** Starts every process, and connects once they are ready: the topics are there by then. */
  async start(): Promise<void> {
    for (const app of this.apps) await app.start();
    await Promise.all([this.scanner, ...this.workers].map((app) => app.untilReady()));
    const { recordTopics, rejectsTopic, ledgerTopic } = this.config.topics;
    await Promise.all([
      this.cluster.connect([...recordTopics, rejectsTopic, ledgerTopic]),
      untilReady(this.#redis),
      this.queue.untilReady(),
    ]);
  }

  /** Closes the demo's own connections. */
  async disconnect(): Promise<void> {
    await Promise.allSettled([this.queue.close(), this.cluster.close()]);
    this.#redis.disconnect();
  }

  /** Asks every process to leave, and waits until all have. */
  async stop(): Promise<void> {
    await Promise.all(this.apps.map((app) => app.stop()));
  }
}

/** On parts that are not the demo's own, which others use too, it has topics, keys and a directory of its own. */
function namesOn(parts: Parts): Record<string, string> {
  const ours = parts.sshd !== undefined && parts.redis !== undefined && parts.kafka !== undefined;
  const prefix = ours ? 'cdr' : `cdr-demo-${randomBytes(3).toString('hex')}`;
  const { SFTP_REMOTE_PATH: remotePath = '/upload' } = parts.env;
  return {
    REDIS_PREFIX: prefix,
    CDR_DATA_TOPIC: `${prefix}-data`,
    CDR_VOICE_TOPIC: `${prefix}-voice`,
    CDR_REJECTS_TOPIC: `${prefix}-rejects`,
    CDR_LEDGER_TOPIC: `${prefix}-ledger`,
    SFTP_REMOTE_PATH: ours ? remotePath : path.posix.join(remotePath, prefix),
  };
}
