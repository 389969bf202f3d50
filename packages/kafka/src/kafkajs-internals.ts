import { createRequire } from 'node:module';
import type { ISocketFactory, Logger, LogEntry, SASLOptions } from 'kafkajs';
import { WireWriter } from './wire.ts';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

/**
 * The one place that reaches into kafkajs. Its connections, TLS, SASL, metadata and reconnects are what we use; its
 * producer and consumer we do not (docs/adr/0001-kafka-client.md says why). Upstream is frozen, the version is pinned
 * exactly, and the test beside this file fails when a name used here is gone.
 */
export const KAFKAJS_VERSION = '2.2.4';

/** A request in kafkajs's own terms: the body already encoded, the answer's bytes handed back. */
export interface RawRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  readonly body: Buffer;
  /** Bytes behind the body that are sent from where they are: a record batch. Must not change until the answer. */
  readonly attachment?: Buffer;
}

interface KafkajsConnection {
  readonly clientId: string;
  readonly socket: Socket;
  readonly requestQueue: {
    push(request: {
      entry: {
        apiKey: number;
        apiName: string;
        apiVersion: number;
        correlationId: number;
        resolve: (answer: { payload: Buffer }) => void;
        reject: (error: Error) => void;
      };
      expectResponse: boolean;
      requestTimeout: number | null;
      sendRequest: () => void;
    }): void;
  };
  isConnected(): boolean;
  isAuthenticated(): boolean;
  authenticate(): Promise<void>;
  failIfNotConnected(): void;
  nextCorrelationId(): number;
}

interface KafkajsConnectionPool {
  isConnected(): boolean;
  readonly host: string;
  readonly port: number;
  getConnection(index: number): Promise<KafkajsConnection>;
  send(protocolRequest: {
    request: {
      apiKey: number;
      apiVersion: number;
      apiName: string;
      expectResponse: () => boolean;
      encode: () => Promise<KafkajsEncoder>;
    };
    response: {
      decode: (bytes: Buffer) => Promise<{ bytes: Buffer; clientSideThrottleTime: number }>;
      parse: (decoded: { bytes: Buffer }) => Promise<Buffer>;
    };
  }): Promise<Buffer>;
}

export interface KafkajsBroker {
  readonly nodeId: number;
  readonly connectionPool: KafkajsConnectionPool;
  readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>> | null;
  isConnected(): boolean;
  disconnect(): Promise<void>;
}

export interface KafkajsPartitionMetadata {
  readonly partitionId: number;
  readonly partitionErrorCode: number;
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

export interface KafkajsCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  removeBroker(address: { host: string; port: number }): void;
  findBroker(options: { nodeId: number | string }): Promise<KafkajsBroker>;
  findTopicPartitionMetadata(topic: string): readonly KafkajsPartitionMetadata[];
  getNodeIds(): readonly string[];
  readonly brokerPool: {
    readonly metadata: { readonly clusterId: string } | null;
    /** By node id. */
    readonly brokers: Readonly<Record<string, KafkajsBroker>>;
    /** What the brokers serve, once connected. */
    readonly versions: KafkajsBroker['versions'];
  };
}

export interface KafkajsClusterOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl: ConnectionOptions | null;
  readonly sasl: SASLOptions | null;
  readonly socketFactory: ISocketFactory;
  readonly connectionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly metadataMaxAgeMs: number;
  readonly onLog: (entry: LogEntry) => void;
}

interface KafkajsEncoder {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

const require = createRequire(import.meta.url);

interface Internals {
  readonly Cluster: new (options: Record<string, unknown>) => KafkajsCluster;
  readonly createLogger: (options: { level: number; logCreator: () => (entry: LogEntry) => void }) => Logger;
}

/** Loads kafkajs's internal modules. Throws when another version than the pinned one is installed. */
export function loadInternals(): Internals {
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version !== KAFKAJS_VERSION)
    throw new Error(`kafkajs ${version} is installed; this release is built on the internals of ${KAFKAJS_VERSION}`);
  return {
    Cluster: require('kafkajs/src/cluster/index.js') as Internals['Cluster'],
    createLogger: (require('kafkajs/src/loggers/index.js') as Pick<Internals, 'createLogger'>).createLogger,
  };
}

/** kafkajs's cluster: connections to all brokers and the metadata of the topics added to it. Not yet connected. */
export function createKafkajsCluster(options: KafkajsClusterOptions): KafkajsCluster {
  const { Cluster, createLogger } = loadInternals();
  return new Cluster({
    logger: createLogger({ level: 1, logCreator: () => options.onLog }),
    socketFactory: options.socketFactory,
    brokers: options.brokers,
    ssl: options.ssl,
    sasl: options.sasl,
    clientId: options.clientId,
    connectionTimeout: options.connectionTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    enforceRequestTimeout: true,
    metadataMaxAge: options.metadataMaxAgeMs,
    // few and fast: the retries that matter are ours, where the deadline is known
    retry: { initialRetryTime: 50, retries: 3, maxRetryTime: 500 },
    allowAutoTopicCreation: false,
    maxInFlightRequests: null,
  });
}

/** Connection attempts under way, by address and connection. */
export type ConnectionAttempts = Map<string, Promise<KafkajsConnection>>;

/** kafkajs sends Fetch on a connection of its own, so that a long poll holds nothing back. */
const FETCH_API_KEY = 1;

/**
 * Sends an encoded request and returns the bytes of the answer behind its header. `connecting` dedupes connection
 * attempts: kafkajs's pool would open a second socket for a second caller.
 */
export async function sendRaw(
  broker: KafkajsBroker,
  request: RawRequest,
  connecting: ConnectionAttempts,
): Promise<Buffer> {
  const pool = broker.connectionPool;
  const index = request.apiKey === FETCH_API_KEY ? 1 : 0;
  const address = `${pool.host}:${pool.port}/${index}`;
  let attempt = connecting.get(address);
  if (!attempt) {
    attempt = pool.getConnection(index).finally(() => connecting.delete(address));
    connecting.set(address, attempt);
  }
  const connection = await attempt;
  return request.attachment ? sendAttached(connection, request, request.attachment) : sendCopied(pool, request);
}

/** kafkajs's ordinary send path. It copies the body twice, which is nothing for a small one. */
function sendCopied(pool: KafkajsConnectionPool, { apiKey, apiVersion, apiName, body }: RawRequest): Promise<Buffer> {
  return pool.send({
    request: {
      apiKey,
      apiVersion,
      apiName,
      expectResponse: () => true,
      encode: () => Promise.resolve(asEncoder(body)),
    },
    response: {
      decode: (bytes) => Promise.resolve({ bytes, clientSideThrottleTime: 0 }),
      parse: ({ bytes }) => Promise.resolve(bytes),
    },
  });
}

/**
 * What Connection.send does, for a request whose bulk goes to the socket from where it is: three copies and two zeroed
 * buffers of a megabyte less per batch.
 */
async function sendAttached(
  connection: KafkajsConnection,
  { apiKey, apiVersion, apiName, body }: RawRequest,
  attachment: Buffer,
): Promise<Buffer> {
  if (!connection.isAuthenticated()) await connection.authenticate();
  connection.failIfNotConnected();
  const correlationId = connection.nextCorrelationId();
  const header = new WireWriter()
    .int16(apiKey)
    .int16(apiVersion)
    .int32(correlationId)
    .string(connection.clientId)
    .finish();
  const size = new WireWriter(4).int32(header.length + body.length + attachment.length).finish();
  const { payload } = await new Promise<{ payload: Buffer }>((resolve, reject) => {
    connection.requestQueue.push({
      entry: { apiKey, apiName, apiVersion, correlationId, resolve, reject },
      expectResponse: true,
      requestTimeout: null,
      sendRequest: () => {
        const { socket } = connection;
        socket.cork();
        socket.write(Buffer.concat([size, header, body]));
        socket.write(attachment);
        socket.uncork();
      },
    });
  });
  return payload;
}

/** What kafkajs's framing reads of an Encoder: that it is one (`buf`), and its bytes (`buffer`). A view, not a copy. */
function asEncoder(body: Buffer): KafkajsEncoder {
  return { buf: body, buffer: body };
}
