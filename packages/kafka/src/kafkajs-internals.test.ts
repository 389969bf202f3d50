import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createKafkajsCluster,
  KAFKAJS_VERSION,
  loadInternals,
  sendRaw,
  type ConnectionAttempts,
  type KafkajsCluster,
} from './kafkajs-internals.ts';
import { WireWriter } from './wire.ts';

const require = createRequire(import.meta.url);

const API_VERSIONS = 18;
const METADATA = 3;
const ECHOED = 22;
const FETCH = 1;

/** A broker in memory, at the other end of the streams that kafkajs takes for sockets. */
class Broker {
  readonly sockets: Duplex[] = [];
  /** Takes requests and answers none. */
  silent = false;
  unanswered = 0;
  readonly requests: { socket: number; apiKey: number; apiVersion: number; clientId: string; body: Buffer }[] = [];

  connect(onConnect: () => void): Duplex {
    const number = this.sockets.length;
    const take = (bytes: Buffer) => this.answer(number, bytes);
    const socket: Duplex = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        const answer = take(chunk);
        this.push(socket, answer);
        done();
      },
      // what was corked together is one request
      writev: (chunks, done) => {
        const answer = take(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)));
        this.push(socket, answer);
        done();
      },
    });
    // what kafkajs calls of a socket beside the stream's own
    Object.assign(socket, { unref: () => socket });
    this.sockets.push(socket);
    setImmediate(onConnect);
    return socket;
  }

  private push(socket: Duplex, answer: Buffer): void {
    if (this.silent) this.unanswered++;
    else setImmediate(() => socket.push(answer));
  }

  private answer(socket: number, request: Buffer): Buffer {
    const clientIdEnd = 14 + request.readInt16BE(12);
    const apiKey = request.readInt16BE(4);
    const body = request.subarray(clientIdEnd);
    const clientId = request.toString('utf8', 14, clientIdEnd);
    this.requests.push({ socket, apiKey, apiVersion: request.readInt16BE(6), clientId, body });
    const answer = new WireWriter().int32(0).int32(request.readInt32BE(8));
    if (apiKey === API_VERSIONS) {
      const versions = [API_VERSIONS, METADATA, ECHOED, FETCH];
      answer
        .int16(0)
        .array(versions, (writer, key) => writer.int16(key).int16(0).int16(2))
        .int32(0);
    } else if (apiKey === METADATA) metadata(answer);
    else for (const byte of body) answer.int8((byte << 24) >> 24);
    const bytes = answer.finish();
    bytes.writeInt32BE(bytes.length - 4, 0);
    return Buffer.from(bytes);
  }
}

/** Version 2: broker 7, and topic `ledger` with one partition that it leads. */
function metadata(answer: WireWriter): void {
  answer
    .array([7], (writer, nodeId) => writer.int32(nodeId).string('broker').int32(9092).int16(-1))
    .string('the-cluster')
    .int32(7)
    .array(['ledger'], (writer, topic) =>
      writer
        .int16(0)
        .string(topic)
        .int8(0)
        .array([0], (inner, partition) =>
          inner
            .int16(0)
            .int32(partition)
            .int32(7)
            .array([7], (it, replica) => it.int32(replica))
            .array([7], (it, replica) => it.int32(replica)),
        ),
    );
}

const open: KafkajsCluster[] = [];
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster.disconnect();
});

async function connected(): Promise<{ cluster: KafkajsCluster; broker: Broker }> {
  const broker = new Broker();
  const cluster = createKafkajsCluster({
    brokers: ['broker:9092'],
    clientId: 'test-1',
    ssl: null,
    sasl: null,
    // it asks for a Socket, and uses what every stream has
    socketFactory: ({ onConnect }) => broker.connect(onConnect) as Socket,
    connectionTimeoutMs: 1_000,
    requestTimeoutMs: 1_000,
    metadataMaxAgeMs: 60_000,
    onLog: () => undefined,
  });
  open.push(cluster);
  await cluster.connect();
  await cluster.addMultipleTargetTopics(['ledger']);
  return { cluster, broker };
}

describe('the kafkajs that is installed', () => {
  it('is the version that this release is built on', () => {
    expect((require('kafkajs/package.json') as { version: string }).version).toBe(KAFKAJS_VERSION);
    expect((require('../package.json') as { dependencies: { kafkajs: string } }).dependencies.kafkajs).toBe(
      KAFKAJS_VERSION,
    );
    expect(() => loadInternals()).not.toThrow();
  });

  it('has the errors that are told apart by their names', () => {
    type Thrown = new (message: string, options: object) => Error;
    const errors = require('kafkajs/src/errors.js') as Record<string, Thrown>;
    for (const name of ['KafkaJSConnectionClosedError', 'KafkaJSConnectionError', 'KafkaJSRequestTimeoutError']) {
      const Thrown = errors[name];
      expect(Thrown && new Thrown('x', { host: 'broker', port: 9092 }).name).toBe(name);
    }
    const Closed = errors['KafkaJSConnectionClosedError'];
    expect(Closed && new Closed('x', { host: 'broker', port: 9092 })).toMatchObject({ host: 'broker', port: 9092 });
  });

  it('gives every method and field that is used of a cluster', async () => {
    const { cluster } = await connected();
    expect(cluster.isConnected()).toBe(true);
    await cluster.refreshMetadata();
    await cluster.refreshMetadataIfNecessary();
    expect(cluster.getNodeIds()).toEqual(['7']);
    expect(cluster.brokerPool.metadata?.clusterId).toBe('the-cluster');
    expect(cluster.findTopicPartitionMetadata('ledger')).toEqual([
      { partitionErrorCode: 0, partitionId: 0, leader: 7, replicas: [7], isr: [7] },
    ]);
    expect(cluster.findTopicPartitionMetadata('other')).toEqual([]);
    await expect(cluster.findBroker({ nodeId: 8 })).rejects.toMatchObject({ name: 'KafkaJSBrokerNotFound' });
    cluster.removeBroker({ host: 'broker', port: 9092 });
    expect(cluster.getNodeIds()).toEqual([]);
  });

  it('gives every method and field that is used of a broker', async () => {
    const { cluster } = await connected();
    for (const nodeId of [7, '7']) {
      const broker = await cluster.findBroker({ nodeId });
      expect(broker.nodeId).toBe(7);
      expect(broker.connectionPool).toMatchObject({ host: 'broker', port: 9092 });
      expect(broker.versions?.[METADATA]).toEqual({ minVersion: 0, maxVersion: 2 });
      expect(broker.isConnected()).toBe(true);
      expect((await broker.connectionPool.getConnection(0)).isConnected()).toBe(true);
      await broker.disconnect();
      expect(broker.isConnected()).toBe(false);
    }
  });
});

describe('a request of our own', () => {
  it('arrives as it was encoded, and its answer comes back as it is', async () => {
    const { cluster, broker } = await connected();
    const node = await cluster.findBroker({ nodeId: 7 });
    const bodies = ['one', '', 'three', 'x'.repeat(100_000)].map((text) => Buffer.from(text));
    const attempts: ConnectionAttempts = new Map();
    const answers = await Promise.all(
      bodies.map((body) => sendRaw(node, { apiKey: ECHOED, apiVersion: 1, apiName: 'Echo', body }, attempts)),
    );
    expect(answers.map(String)).toEqual(bodies.map(String));
    const echoed = broker.requests.filter(({ apiKey }) => apiKey === ECHOED);
    expect(echoed.map(({ body }) => body.toString())).toEqual(bodies.map(String));
    for (const request of echoed) expect(request).toMatchObject({ apiVersion: 1, clientId: 'test-1' });
    expect(attempts.size).toBe(0);
  });

  it('with an attachment arrives in one piece, among others and in their order', async () => {
    const { cluster, broker } = await connected();
    const node = await cluster.findBroker({ nodeId: 7 });
    const attempts: ConnectionAttempts = new Map();
    const request = { apiKey: ECHOED, apiVersion: 1, apiName: 'Echo' };
    const attachment = Buffer.alloc(900_000, 'a batch ');
    const answers = await Promise.all([
      sendRaw(node, { ...request, body: Buffer.from('first') }, attempts),
      sendRaw(node, { ...request, body: Buffer.from('head of '), attachment }, attempts),
      sendRaw(node, { ...request, body: Buffer.from('last') }, attempts),
    ]);
    expect(answers.map(({ length }) => length)).toEqual([5, 900_008, 4]);
    expect(answers[1]?.equals(Buffer.concat([Buffer.from('head of '), attachment]))).toBe(true);
    for (const sent of broker.requests.filter(({ apiKey }) => apiKey === ECHOED))
      expect(sent).toMatchObject({ apiVersion: 1, clientId: 'test-1' });
  });

  it('with an attachment fails when the connection is lost, and goes through on the next one', async () => {
    const { cluster, broker } = await connected();
    const node = await cluster.findBroker({ nodeId: 7 });
    const attempts: ConnectionAttempts = new Map();
    const request = {
      apiKey: ECHOED,
      apiVersion: 0,
      apiName: 'X',
      body: Buffer.from('x'),
      attachment: Buffer.from('y'),
    };
    expect(await sendRaw(node, request, attempts).then(String)).toBe('xy');
    broker.silent = true;
    const unanswered = sendRaw(node, request, attempts);
    unanswered.catch(() => undefined);
    await expect.poll(() => broker.unanswered).toBe(1);
    for (const socket of broker.sockets) socket.push(null);
    await expect(unanswered).rejects.toMatchObject({ name: 'KafkaJSConnectionClosedError' });
    broker.silent = false;
    expect(await sendRaw(node, request, attempts).then(String)).toBe('xy');
  });

  it('to fetch goes over a connection of its own, which is opened once', async () => {
    const { cluster, broker } = await connected();
    const node = await cluster.findBroker({ nodeId: 7 });
    const attempts: ConnectionAttempts = new Map();
    const before = broker.sockets.length;
    const send = (apiKey: number) =>
      sendRaw(node, { apiKey, apiVersion: 0, apiName: 'X', body: Buffer.from('x') }, attempts);
    await Promise.all([send(FETCH), send(FETCH), send(ECHOED), send(FETCH)]);
    expect(broker.sockets).toHaveLength(before + 1);
    const socketsOf = (key: number) =>
      new Set(broker.requests.filter(({ apiKey }) => apiKey === key).map(({ socket }) => socket));
    expect(socketsOf(FETCH)).toEqual(new Set([before]));
    expect(socketsOf(ECHOED).has(before)).toBe(false);
  });

  it('fails, and leaves no attempt behind, when the connection is lost', async () => {
    const { cluster, broker } = await connected();
    const node = await cluster.findBroker({ nodeId: 7 });
    const attempts: ConnectionAttempts = new Map();
    const request = { apiKey: ECHOED, apiVersion: 0, apiName: 'X', body: Buffer.from('x') };
    await sendRaw(node, request, attempts);
    for (const socket of broker.sockets) socket.push(null);
    await expect.poll(() => node.isConnected()).toBe(false);
    expect(await sendRaw(node, request, attempts).then(String)).toBe('x');
    expect(attempts.size).toBe(0);
  });
});
