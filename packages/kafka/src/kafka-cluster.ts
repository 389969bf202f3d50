import { setTimeout as sleep } from 'node:timers/promises';
import { CdrError } from '@cdr/core/errors';
import { connectToBroker } from './broker-socket.ts';
import {
  BrokerError,
  CONCURRENT_TRANSACTIONS,
  describing,
  innermost,
  reactionTo,
  toCdrError,
  toRefusal,
} from './kafka-errors.ts';
import {
  createKafkajsCluster,
  sendRaw,
  type ConnectionAttempts,
  type KafkajsBroker,
  type KafkajsCluster,
} from './kafkajs-internals.ts';
import type { KafkaSettings } from './kafka-settings.ts';
import {
  findTransactionCoordinator,
  listOffset,
  METADATA_API_KEY,
  TOPIC_ID_METADATA_VERSION,
  topicId,
  type Call,
  type TopicPartition,
} from './requests.ts';

export interface RetryOptions {
  /** How long to keep asking before the cluster counts as away. */
  readonly deadlineMs: number;
  /** Told before each repetition. */
  readonly onRetry?: (error: Error) => void;
}

/**
 * One set of broker connections, shared by every slot of a process, and the way to ask any broker anything: finds
 * leaders and coordinators, and asks again, with pauses, while the answer is one that passes (a moved leader, a lost
 * connection). What gives up throws CdrError; `kafka-unavailable` when the cluster could not be reached in time.
 */
export class KafkaCluster {
  private readonly cluster: KafkajsCluster;
  private readonly connecting: ConnectionAttempts = new Map();
  private readonly coordinators = new Map<string, number>();
  private readonly leaving = new Map<KafkajsBroker, Promise<void>>();
  private joining: Promise<void> | undefined;
  private closed = false;

  constructor(settings: KafkaSettings) {
    this.cluster = createKafkajsCluster({
      brokers: settings.brokers,
      clientId: settings.clientId,
      ssl: settings.tls ?? null,
      sasl: settings.sasl ?? null,
      connectionTimeoutMs: settings.connectionTimeoutMs ?? 3_000,
      requestTimeoutMs: settings.requestTimeoutMs ?? 30_000,
      metadataMaxAgeMs: 300_000,
      // kafkajs logs each failed attempt; what matters of it comes back as an error
      onLog: () => undefined,
      socketFactory: ({ host, port, ssl, onConnect }) => connectToBroker({ host, port, ssl }, onConnect),
    });
  }

  /** Connects to a seed broker and learns about the topics. Throws CdrError, `kafka-topic` for a topic that is not there. */
  async connect(topics: readonly string[]): Promise<void> {
    try {
      await this.cluster.connect();
      await this.cluster.addMultipleTargetTopics(topics);
    } catch (error) {
      const inner = innermost(error);
      // brokers refuse the lot and the client does not say for which: one by one
      if (reactionTo(inner) === 'kafka-authorization') for (const topic of topics) await this.partitionCount(topic);
      throw toCdrError('connecting to Kafka', inner);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.cluster.disconnect();
  }

  /** Resolves when the cluster answers a metadata request; throws CdrError otherwise. */
  async probe(): Promise<void> {
    try {
      await this.refresh();
      await this.refreshMetadata();
    } catch (error) {
      throw toCdrError('asking Kafka for metadata', innermost(error));
    }
  }

  /** The cluster's own id, or '' before the first metadata. */
  get clusterId(): string {
    return this.cluster.brokerPool.metadata?.clusterId ?? '';
  }

  /** How many partitions a topic has. Throws CdrError `kafka-topic` when it does not exist. */
  async partitionCount(topic: string): Promise<number> {
    try {
      await this.cluster.addMultipleTargetTopics([topic]);
    } catch (error) {
      const inner = innermost(error);
      if ('type' in inner && inner.type === 'UNKNOWN_TOPIC_OR_PARTITION')
        throw new CdrError('kafka-topic', `topic ${topic} does not exist`, { hint: 'Create it with: cdr topics' });
      throw toRefusal(`looking up topic ${topic}`, describing(topic), inner);
    }
    const count = this.cluster.findTopicPartitionMetadata(topic).length;
    if (count === 0)
      throw new CdrError('kafka-topic', `topic ${topic} does not exist`, { hint: 'Create it with: cdr topics' });
    return count;
  }

  /**
   * The id of a topic, by which one that was deleted and created again is told from the one before; undefined where the
   * brokers give none (Redpanda, Kafka before 2.8).
   */
  async topicId(topic: string, deadlineMs = 30_000): Promise<string | undefined> {
    const findBroker = (): Promise<KafkajsBroker> => this.anyBroker();
    // connects, so that it is known what the brokers serve
    if (!this.cluster.brokerPool.versions) await this.refresh();
    const served = this.cluster.brokerPool.versions?.[METADATA_API_KEY]?.maxVersion;
    if (served !== undefined && served < TOPIC_ID_METADATA_VERSION) return undefined;
    return this.ask(topicId(topic), findBroker, { deadlineMs });
  }

  /** Asks the partition's leader, wherever it is by now. */
  async askLeader<Answer>(target: TopicPartition, call: Call<Answer>, options: RetryOptions): Promise<Answer> {
    return this.ask(call, () => this.leaderOf(target), options);
  }

  /** Asks the coordinator of a transactional id, wherever it is by now. */
  async askCoordinator<Answer>(transactionalId: string, call: Call<Answer>, options: RetryOptions): Promise<Answer> {
    const answer = await this.ask(call, () => this.coordinatorOf(transactionalId), {
      ...options,
      onRetry: (error) => {
        // any failure but this one may mean that the coordinator moved
        if (!(error instanceof BrokerError && error.errorCode === CONCURRENT_TRANSACTIONS))
          this.coordinators.delete(transactionalId);
        options.onRetry?.(error);
      },
    });
    return answer;
  }

  /** Forgets where an id's coordinator was, once its transaction is over. */
  forgetCoordinator(transactionalId: string): void {
    this.coordinators.delete(transactionalId);
  }

  async earliestOffset(target: TopicPartition, deadlineMs = 30_000): Promise<bigint> {
    return this.askLeader(target, listOffset(target, 'earliest'), { deadlineMs });
  }

  private async ask<Answer>(
    call: Call<Answer>,
    findBroker: () => Promise<KafkajsBroker>,
    { deadlineMs, onRetry }: RetryOptions,
  ): Promise<Answer> {
    const deadline = performance.now() + deadlineMs;
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 500)) {
      try {
        return await this.send(await findBroker(), call);
      } catch (thrown) {
        const error = innermost(thrown);
        if (this.closed || reactionTo(error) !== 'retry' || performance.now() > deadline)
          throw toCdrError(call.apiName, error);
        onRetry?.(error);
        const busy = error instanceof BrokerError && error.errorCode === CONCURRENT_TRANSACTIONS;
        if (!busy) await this.refresh(error);
        await sleep(busy ? Math.min(pauseMs, 40) : pauseMs);
      }
    }
  }

  private async send<Answer>(broker: KafkajsBroker, call: Call<Answer>): Promise<Answer> {
    let answer: Buffer;
    try {
      answer = await sendRaw(broker, call, this.connecting);
    } catch (error) {
      // a connection that died or fell silent is not used again: the next request opens another
      if (error instanceof Error && /^KafkaJS(ConnectionClosed|Connection|RequestTimeout)Error$/.test(error.name))
        await this.leave(broker);
      throw error;
    }
    return call.read(answer);
  }

  /**
   * Gives a broker's connections up, once for all requests that fail with them: kafkajs would go through it for each, and
   * a later one would end the connections that were made anew meanwhile.
   */
  private async leave(broker: KafkajsBroker): Promise<void> {
    let leaving = this.leaving.get(broker);
    if (!leaving) {
      if (!broker.connectionPool.isConnected()) return;
      leaving = broker.disconnect().finally(() => this.leaving.delete(broker));
      this.leaving.set(broker, leaving);
    }
    await leaving;
  }

  private async leaderOf({ topic, partition }: TopicPartition): Promise<KafkajsBroker> {
    await this.cluster.refreshMetadataIfNecessary();
    const metadata = this.cluster.findTopicPartitionMetadata(topic).find((entry) => entry.partitionId === partition);
    if (!metadata || metadata.leader < 0) throw new BrokerError(`leader of ${topic}/${partition}`, 5);
    return this.cluster.findBroker({ nodeId: metadata.leader });
  }

  private async coordinatorOf(transactionalId: string): Promise<KafkajsBroker> {
    let nodeId = this.coordinators.get(transactionalId);
    if (nodeId === undefined) {
      nodeId = await this.send(await this.anyBroker(), findTransactionCoordinator(transactionalId));
      this.coordinators.set(transactionalId, nodeId);
    }
    return this.cluster.findBroker({ nodeId });
  }

  private async anyBroker(): Promise<KafkajsBroker> {
    const nodeIds = this.cluster.getNodeIds();
    if (nodeIds.length === 0) throw new BrokerError('any broker', 8);
    const start = Math.floor(Math.random() * nodeIds.length);
    let failure: unknown;
    for (let i = 0; i < nodeIds.length; i++) {
      try {
        return await this.cluster.findBroker({ nodeId: nodeIds[(start + i) % nodeIds.length] ?? '' });
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** Reads the metadata again. A broker that does not answer is given up, so that another one is asked the next time. */
  private async refreshMetadata(): Promise<void> {
    try {
      await this.cluster.refreshMetadata();
    } catch (thrown) {
      const error = innermost(thrown);
      if (error.name === 'KafkaJSRequestTimeoutError' && 'broker' in error) {
        const brokers = Object.values(this.cluster.brokerPool.brokers);
        const silent = brokers.find(({ connectionPool: { host, port } }) => `${host}:${port}` === error.broker);
        if (silent) await this.leave(silent);
      }
      throw thrown;
    }
  }

  /** Reconnects if need be and reads the metadata again; one at a time. Its own failure shows in the next request. */
  private async refresh(error?: Error): Promise<void> {
    if (error?.name === 'KafkaJSConnectionClosedError' && 'host' in error && 'port' in error)
      this.cluster.removeBroker({ host: String(error.host), port: Number(error.port) });
    this.joining ??= (async () => {
      try {
        if (!this.cluster.isConnected()) await this.cluster.connect();
        await this.refreshMetadata();
      } catch {
        // still away
      } finally {
        this.joining = undefined;
      }
    })();
    await this.joining;
  }
}
