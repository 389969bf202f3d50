import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { withLock } from './file-lock.ts';
import { freePort } from './free-port.ts';
import type { Instance } from './instance.ts';
import { fetchKafkaLibs, kafkaClassPath, kafkaLibsDir } from './kafka-libs.ts';
import { OwnProcess, runningPid } from './own-process.ts';
import { PROGRAMS, programPath } from './programs.ts';
import { kafkaAnswers } from './ready-checks.ts';
import { readState, writeState } from './service-state.ts';

const run = promisify(execFile);

const START_DEADLINE_MS = 120_000;

/** What a Kafka cluster can be asked to be. */
export interface KafkaOptions {
  /** 1, or 3 with replication 3 and min.insync.replicas 2 as in production. */
  brokers: 1 | 3;
  /** Full optimization by the JVM: right for a benchmark, while tests start faster without. */
  optimized?: boolean;
  progress: (line: string) => void;
}

/** An Apache Kafka cluster of our own: brokers that are controllers too, on loopback ports. */
export class Kafka {
  readonly brokers: readonly KafkaBroker[];
  readonly env: Record<string, string>;

  private constructor(brokers: KafkaBroker[]) {
    this.brokers = brokers;
    this.env = {
      KAFKA_BROKERS: brokers.map((broker) => `127.0.0.1:${broker.port}`).join(','),
      TOPIC_REPLICATION: String(brokers.length),
    };
  }

  /** Starts all brokers, on the ports and with the data of an earlier start of the instance if there was one. */
  static async start(instance: Instance, options: KafkaOptions): Promise<Kafka> {
    await fetchKafkaLibs(options.progress);
    await makeStorageTemplate();
    // Data of a cluster of another size is of no use: its topics live on brokers that are not there.
    const dirs = brokerDirs(instance, options.brokers);
    const earlierDirs = setUpDirs(instance);
    if (earlierDirs.length > 0 && earlierDirs.length !== dirs.length) {
      options.progress(`Deleting the data of Kafka with ${earlierDirs.length} broker(s): ${dirs.length} wanted now`);
      for (const dir of earlierDirs) rmSync(dir, { recursive: true });
    }
    const clusterId = readState(dirs[0] ?? '')?.clusterId ?? randomUuid();
    const settings = await Promise.all(
      dirs.map(async (dir, index) => {
        const earlier = readState(dir);
        const [port, controllerPort] = [await freePort(earlier?.port), await freePort(earlier?.controllerPort)];
        writeState(dir, { port, controllerPort, clusterId });
        return { dir, nodeId: index + 1, port, controllerPort };
      }),
    );
    const controllerPorts = settings.map((broker) => broker.controllerPort);
    for (const broker of settings) {
      formatStorage(broker.dir, { nodeId: broker.nodeId, clusterId });
      writeFileSync(path.join(broker.dir, 'server.properties'), configuration({ ...broker, controllerPorts }));
    }
    const kafka = new Kafka(dirs.map((dir, index) => new KafkaBroker(dir, index + 1, options.optimized ?? false)));
    await Promise.all(kafka.brokers.map((broker) => broker.restart()));
    return kafka;
  }

  /** The cluster that another process has started for this instance. */
  static open(instance: Instance): Kafka {
    const dirs = setUpDirs(instance);
    if (dirs.length === 0) throw new Error(`No Kafka was started for the instance "${instance.name}".`);
    return new Kafka(dirs.map((dir, index) => new KafkaBroker(dir, index + 1, false)));
  }

  /** The cluster of this instance when all its brokers run. */
  static running(instance: Instance): Kafka | undefined {
    const dirs = setUpDirs(instance);
    const running = dirs.filter((dir) => runningPid(dir) !== undefined);
    return dirs.length > 0 && running.length === dirs.length ? Kafka.open(instance) : undefined;
  }

  /** The broker with this node id, counted from 1 (kafkajs and Java's tools call it by that id too). */
  broker(nodeId: number): KafkaBroker {
    const broker = this.brokers[nodeId - 1];
    if (broker === undefined) throw new Error(`There is no broker ${nodeId}, only ${this.brokers.length}.`);
    return broker;
  }

  /**
   * Ends a broker at once, as a crash does.
   *
   * Crash tests want three brokers: a lone one comes back only when its session has run out (9 s), and while no broker
   * leads a partition Kafka drops the markers of transactions whose commit it has just acknowledged, which then stay
   * open for ever (seen with 4.4.0).
   */
  async killBroker(nodeId: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.broker(nodeId).kill(signal);
  }

  async restartBroker(nodeId: number): Promise<void> {
    await this.broker(nodeId).restart();
  }

  async stop(): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker.stop()));
  }
}

/** One broker of the cluster. */
export class KafkaBroker {
  readonly nodeId: number;
  readonly port: number;
  readonly #process: OwnProcess;

  constructor(dir: string, nodeId: number, optimized: boolean) {
    const state = readState(dir);
    if (state === undefined) throw new Error(`No broker was set up in ${dir}.`);
    this.nodeId = nodeId;
    this.port = state.port;
    this.#process = brokerProcess(dir, nodeId, optimized);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get logFile(): string {
    return this.#process.logFile;
  }

  /** Sends a signal, such as SIGSTOP and SIGCONT to freeze and wake it. */
  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal);
  }

  /** Ends it at once, as a crash does. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process.kill(signal);
  }

  async stop(): Promise<void> {
    // A controlled shutdown waits for a quorum that stops at the same time.
    await this.#process.stop(3_000);
  }

  /** Starts it again on the same port with the same data; stops it first when it runs. */
  async restart(): Promise<void> {
    if (this.pid !== undefined) await this.stop();
    this.#process.start();
    await this.#process.waitUntilReady(() => kafkaAnswers('127.0.0.1', this.port), START_DEADLINE_MS);
  }
}

/** A broker whose `server.properties` and formatted storage are in `dir`. */
export function brokerProcess(dir: string, nodeId: number, optimized: boolean): OwnProcess {
  // The first compiler alone halves what a start costs.
  const jvm = ['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', ...(optimized ? [] : ['-XX:TieredStopAtLevel=1'])];
  return new OwnProcess({
    name: `Kafka broker ${nodeId}`,
    dir,
    command: programPath(PROGRAMS.java),
    args: [
      ...jvm,
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-cp',
      kafkaClassPath(),
      'kafka.Kafka',
      path.join(dir, 'server.properties'),
    ],
  });
}

function brokerDirs(instance: Instance, brokers: number): string[] {
  return Array.from({ length: brokers }, (_, index) => path.join(instance.dir, `kafka-${index + 1}`));
}

/** The folders of the brokers that were set up at an earlier start. */
function setUpDirs(instance: Instance): string[] {
  return brokerDirs(instance, 3).filter((dir) => readState(dir) !== undefined);
}

export interface BrokerSettings {
  dir: string;
  nodeId: number;
  port: number;
  controllerPort: number;
  /** Of all brokers, in the order of their ids. */
  controllerPorts: number[];
}

/** The text of a broker's `server.properties`; of a name that is there twice, the last counts. */
export function configuration({ dir, nodeId, port, controllerPort, controllerPorts }: BrokerSettings): string {
  const brokers = controllerPorts.length;
  const minInSync = brokers >= 3 ? 2 : 1;
  const settings: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': nodeId,
    // Voters in the configuration and not in the formatted storage, so that one formatted template serves every port.
    'controller.quorum.voters': controllerPorts.map((voter, index) => `${index + 1}@127.0.0.1:${voter}`).join(','),
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': path.join(dir, 'data'),
    'auto.create.topics.enable': 'false',
    'default.replication.factor': brokers,
    'min.insync.replicas': minInSync,
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': brokers,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.replication.factor': brokers,
    'transaction.state.log.min.isr': minInSync,
    'share.coordinator.state.topic.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': brokers,
    'share.coordinator.state.topic.min.isr': minInSync,
    'group.initial.rebalance.delay.ms': 0,
    'log.cleaner.dedupe.buffer.size': 8_388_608,
    'num.network.threads': 2,
    'num.io.threads': 4,
  };
  if (brokers >= 3) {
    // A killed broker is noticed after 3 s and not after 9 s. A lone broker must not be declared dead at all.
    settings['broker.session.timeout.ms'] = 3_000;
    settings['broker.heartbeat.interval.ms'] = 500;
    settings['replica.lag.time.max.ms'] = 4_000;
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** Kafka starts only on formatted storage; copying a template takes no JVM, while its own tool takes one per broker. */
function formatStorage(dir: string, { nodeId, clusterId }: { nodeId: number; clusterId: string }): void {
  const data = path.join(dir, 'data');
  if (existsSync(data)) return;
  cpSync(templateDir(), data, { recursive: true });
  const properties = { version: 1, 'cluster.id': clusterId, 'node.id': nodeId, 'directory.id': randomUuid() };
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(path.join(data, 'meta.properties'), lines.join(''));
}

async function makeStorageTemplate(): Promise<void> {
  if (existsSync(templateDir())) return;
  await withLock(`${templateDir()}.lock`, 60_000, async () => {
    if (existsSync(templateDir())) return;
    const dir = `${templateDir()}.partial`;
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    const settings = path.join(dir, 'server.properties');
    writeFileSync(settings, configuration({ dir, nodeId: 1, port: 1, controllerPort: 2, controllerPorts: [2] }));
    await runStorageTool(settings);
    renameSync(path.join(dir, 'data'), templateDir());
    rmSync(dir, { recursive: true });
  });
}

/** Formats the storage that a `server.properties` names. `options` may give users and their SCRAM passwords. */
export async function runStorageTool(settings: string, options: readonly string[] = []): Promise<void> {
  const tool = ['-XX:TieredStopAtLevel=1', '-cp', kafkaClassPath(), 'kafka.tools.StorageTool'];
  const format = ['format', '--cluster-id', randomUuid(), '--config', settings, ...options];
  await run(programPath(PROGRAMS.java), [...tool, ...format]);
}

function templateDir(): string {
  return path.join(kafkaLibsDir(), 'storage-template');
}

/** An id as Kafka writes them: 16 random bytes, base64url, not beginning with a dash (its tools would see an option). */
function randomUuid(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? randomUuid() : id;
}
