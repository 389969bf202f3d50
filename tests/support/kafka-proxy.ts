import { endLink, TcpProxy, type Link, type LinkFilter } from './tcp-proxy.ts';

/** Requests that a test may want to come between, by their number in the protocol. */
export const API = {
  produce: 0,
  fetch: 1,
  metadata: 3,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  endTxn: 26,
} as const;
export type ApiName = keyof typeof API;

/**
 * What happens to one request:
 * - `lose-request`: it never arrives, the connection breaks
 * - `lose-answer`: the broker carries it out, the connection breaks before the answer has passed
 * - `silence`: the broker carries it out, and nothing comes back on this connection any more, which stays open
 * - `hold`: the connection breaks, and the request arrives much later, when `release` is called
 * - `old-tail`: for Fetch: the answer says that the log ends where was asked, as a leader may that was deposed
 */
export type FaultAction = 'lose-request' | 'lose-answer' | 'silence' | 'hold' | 'old-tail';

/** A fault that was ordered. */
export class RequestFault {
  readonly api: ApiName;
  readonly action: FaultAction;
  readonly #happened = Promise.withResolvers<void>();
  readonly #delivered = Promise.withResolvers<void>();
  #deliver: (() => void) | undefined;
  /** How many matching requests still pass before it happens. */
  before: number;

  constructor(api: ApiName, action: FaultAction, nth: number) {
    this.api = api;
    this.action = action;
    this.before = nth - 1;
  }

  /** Resolves when it has happened; for `lose-answer` and `silence`, when the broker has answered. */
  async untilHappened(deadlineMs = 60_000): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const what = `Waited ${deadlineMs} ms for ${this.action} of ${this.api}`;
      timer = setTimeout(() => reject(new Error(what)), deadlineMs);
    });
    await Promise.race([this.#happened.promise, late]).finally(() => clearTimeout(timer));
  }

  /** Lets a held request arrive; resolves when the broker has answered it. */
  async release(): Promise<void> {
    if (!this.#deliver) throw new Error('no request is held');
    this.#deliver();
    await this.#delivered.promise;
  }

  hasHappened(): void {
    this.#happened.resolve();
  }

  hold(deliver: () => void): void {
    this.#deliver = deliver;
    this.#happened.resolve();
  }

  answered(): void {
    this.#delivered.resolve();
  }
}

interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly fault: RequestFault | undefined;
  /** For Fetch: where the reading begins. */
  readonly fetchOffset: bigint | undefined;
}

/**
 * A proxy in front of every broker of a cluster. Brokers name their own addresses in their metadata, and clients go
 * there: the answers are rewritten on the way so that a client that was given `brokers` never gets past it.
 */
export class KafkaProxy {
  /** For KAFKA_BROKERS. */
  readonly brokers: string;
  readonly #proxies: readonly TcpProxy[];
  readonly #faults: RequestFault[];

  private constructor(proxies: readonly TcpProxy[], faults: RequestFault[]) {
    this.#proxies = proxies;
    this.#faults = faults;
    this.brokers = proxies.map(({ port }) => `127.0.0.1:${port}`).join(',');
  }

  /** @param brokers addresses of all brokers of the cluster, as they name themselves */
  static async start(brokers: readonly string[]): Promise<KafkaProxy> {
    const faults: RequestFault[] = [];
    const ports = new Map<number, number>();
    const proxies: TcpProxy[] = [];
    for (const address of brokers) {
      const port = Number(address.slice(address.lastIndexOf(':') + 1));
      const proxy = await TcpProxy.start({ host: '127.0.0.1', port }, (link) => kafkaFilter(link, faults, ports));
      ports.set(port, proxy.port);
      proxies.push(proxy);
    }
    return new KafkaProxy(proxies, faults);
  }

  /** Orders a fault for the n-th request of that kind from now on (1: the next). */
  next(api: ApiName, action: FaultAction, nth = 1): RequestFault {
    const fault = new RequestFault(api, action, nth);
    this.#faults.push(fault);
    return fault;
  }

  /** The proxies, one a broker, in the order of the addresses: to cut, delay, swallow and refuse. */
  get links(): readonly TcpProxy[] {
    return this.#proxies;
  }

  close(): void {
    for (const proxy of this.#proxies) proxy.close();
  }
}

function kafkaFilter(link: Link, faults: RequestFault[], ports: ReadonlyMap<number, number>): LinkFilter {
  const requests = new Map<number, RequestHeader>();
  const upFrames = new FrameSplitter();
  const downFrames = new FrameSplitter();
  let silent = false;
  let held = false;
  return {
    up: (bytes, forward) => {
      for (const frame of upFrames.push(bytes)) {
        if (held) return;
        const request = headerOf(frame, faults);
        requests.set(request.correlationId, request);
        const { fault } = request;
        if (fault?.action === 'lose-request') {
          fault.hasHappened();
          endLink(link);
          return;
        }
        if (fault?.action === 'hold') {
          held = true;
          // the client's end breaks; the broker's stays open for the delivery
          link.client.removeAllListeners('close');
          link.client.resetAndDestroy();
          fault.hold(() => forward(frame));
          return;
        }
        forward(frame);
      }
    },
    down: (bytes, forward) => {
      for (const frame of downFrames.push(bytes)) {
        const correlationId = frame.readInt32BE(4);
        const request = requests.get(correlationId);
        requests.delete(correlationId);
        const fault = request?.fault;
        if (fault?.action === 'hold') {
          fault.answered();
          link.server.destroy();
          return;
        }
        if (fault?.action === 'lose-answer') {
          fault.hasHappened();
          endLink(link);
          return;
        }
        if (fault?.action === 'silence') {
          silent = true;
          fault.hasHappened();
        }
        if (silent) continue;
        if (request?.apiKey === API.metadata) rewritePorts(frame, request.apiVersion, ports);
        if (fault?.action === 'old-tail' && request?.fetchOffset !== undefined) {
          fault.hasHappened();
          forward(endedAt(frame, request.fetchOffset));
        } else forward(frame);
      }
    },
  };
}

function headerOf(frame: Buffer, faults: RequestFault[]): RequestHeader {
  const apiKey = frame.readInt16BE(4);
  const apiVersion = frame.readInt16BE(6);
  const fault = faults.find(({ api }) => API[api] === apiKey);
  const due = fault !== undefined && fault.before-- === 0 ? fault : undefined;
  if (due) faults.splice(faults.indexOf(due), 1);
  return {
    apiKey,
    apiVersion,
    correlationId: frame.readInt32BE(8),
    fault: due,
    fetchOffset: due?.action === 'old-tail' ? fetchOffsetOf(frame) : undefined,
  };
}

/** Of a Fetch request of version 5 for one partition, which is the only one that the ingester sends. */
function fetchOffsetOf(frame: Buffer): bigint {
  const clientIdLength = frame.readInt16BE(12);
  const topicAt = 14 + Math.max(0, clientIdLength) + 4 + 4 + 4 + 4 + 1 + 4;
  const partitionsAt = topicAt + 2 + frame.readInt16BE(topicAt);
  return frame.readBigInt64BE(partitionsAt + 4 + 4);
}

/** A Fetch answer of version 5 for one partition, without its records, as if the log ended at the offset. */
function endedAt(frame: Buffer, offset: bigint): Buffer {
  const topicAt = 4 + 4 + 4 + 4;
  const partitionAt = topicAt + 2 + frame.readInt16BE(topicAt) + 4;
  const highWatermarkAt = partitionAt + 4 + 2;
  const head = Buffer.from(frame.subarray(0, highWatermarkAt + 3 * 8));
  head.writeBigInt64BE(offset, highWatermarkAt);
  head.writeBigInt64BE(offset, highWatermarkAt + 8);
  const answer = Buffer.concat([head, Buffer.alloc(4), Buffer.alloc(4)]);
  answer.writeInt32BE(answer.length - 4, 0);
  return answer;
}

/** Puts the proxies' ports in the place of the brokers' in a Metadata answer. */
function rewritePorts(frame: Buffer, apiVersion: number, ports: ReadonlyMap<number, number>): void {
  // from version 9 on lengths are compact, and an answer's header ends with tagged fields
  const compact = apiVersion >= 9;
  let at = 8;
  const skipString = (): void => {
    let length: number;
    if (compact) length = varint() - 1;
    else {
      length = frame.readInt16BE(at);
      at += 2;
    }
    at += Math.max(0, length);
  };
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = frame.readUInt8(at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  if (compact) at += 1; // no tagged fields in the header
  if (apiVersion >= 3) at += 4; // throttle time
  const count = compact ? varint() - 1 : frame.readInt32BE(at);
  if (!compact) at += 4;
  for (let i = 0; i < count; i++) {
    at += 4; // node id
    skipString(); // host
    const port = ports.get(frame.readInt32BE(at));
    if (port !== undefined) frame.writeInt32BE(port, at);
    at += 4;
    if (apiVersion >= 1) skipString(); // rack
    if (compact) at += 1;
  }
}

/** Cuts a stream of bytes into the protocol's frames, each with its length in front. */
class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): Buffer[] {
    const frames: Buffer[] = [];
    this.#rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : Buffer.from(bytes);
    while (this.#rest.length >= 4) {
      const end = 4 + this.#rest.readInt32BE(0);
      if (this.#rest.length < end) break;
      frames.push(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}
