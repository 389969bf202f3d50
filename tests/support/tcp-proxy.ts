import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The way of bytes: from the client to the server (`up`), or back (`down`). */
export type Direction = 'up' | 'down';

/** One client's connection and the one that the proxy has opened for it. */
export interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/** Sends bytes on, to the side that the direction names. */
export type Forward = (bytes: Buffer) => void;

/** Looks at what passes on one link and may hold it back, change it, or end the link. */
export interface LinkFilter {
  readonly up: (bytes: Buffer, forward: Forward) => void;
  readonly down: (bytes: Buffer, forward: Forward) => void;
}

/**
 * A TCP proxy on loopback that does to connections what networks do: cut them, slow them down, swallow bytes without a
 * word, refuse new ones, and forget one end while the other still believes in it.
 */
export class TcpProxy {
  readonly port: number;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #filterFor: ((link: Link) => LinkFilter) | undefined;
  readonly #links = new Set<Link>();
  readonly #dead = new Map<Link, Set<Direction>>();
  #server: Server;
  #delayMs = 0;
  #swallowed: ReadonlySet<Direction> = new Set();
  #accepted = 0;

  private constructor(
    server: Server,
    target: { readonly host: string; readonly port: number },
    filterFor: ((link: Link) => LinkFilter) | undefined,
  ) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.#target = target;
    this.#filterFor = filterFor;
  }

  /** Listens on a free port. `filterFor` is asked for each new link; without it bytes pass as they are. */
  static async start(
    target: { readonly host: string; readonly port: number },
    filterFor?: (link: Link) => LinkFilter,
  ): Promise<TcpProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new TcpProxy(server, target, filterFor);
    server.on('connection', (client) => proxy.#accept(client));
    return proxy;
  }

  /** How many connections there are now. */
  get links(): number {
    return this.#links.size;
  }

  /** How many connections were taken so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Breaks every connection, both ends with a reset. */
  cut(): void {
    for (const link of this.#links) endLink(link);
  }

  /** Every piece of data takes this much longer from now on, in both directions; 0 ends it. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /**
   * Bytes of these directions vanish from now on, and so does the news that an end has closed: both ends are left
   * believing in a connection that is dead. A link that has lost bytes stays dead after `restore` too.
   */
  swallow(...directions: readonly Direction[]): void {
    this.#swallowed = new Set(directions);
  }

  /** Refuses new connections; those that are there go on. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return;
    // resolves only when every connection is gone, which is not what is asked for here
    this.#server.close();
  }

  /** Takes connections again, swallows and delays nothing. */
  async restore(): Promise<void> {
    this.#delayMs = 0;
    this.#swallowed = new Set();
    if (this.#server.listening) return;
    this.#server = createServer();
    this.#server.on('connection', (client) => this.#accept(client));
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** Ends everything. */
  close(): void {
    this.#server.close();
    this.cut();
  }

  #accept(client: Socket): void {
    this.#accepted++;
    const server = connect(this.#target);
    const link: Link = { client, server };
    this.#links.add(link);
    const filter = this.#filterFor?.(link);
    client.setNoDelay(true);
    server.setNoDelay(true);
    this.#pass(link, 'up', client, server, filter?.up);
    this.#pass(link, 'down', server, client, filter?.down);
  }

  #pass(link: Link, direction: Direction, from: Socket, to: Socket, filter: LinkFilter['up'] | undefined): void {
    const forward: Forward = (bytes) => {
      if (!to.writable) return;
      // the one that sends is held back while the one that receives is slow
      if (!to.write(bytes)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    };
    const isDead = (): boolean => {
      if (this.#swallowed.has(direction)) this.#dead.set(link, (this.#dead.get(link) ?? new Set()).add(direction));
      return this.#dead.get(link)?.has(direction) ?? false;
    };
    const take = (bytes: Buffer): void => {
      if (isDead()) return;
      if (filter) filter(bytes, forward);
      else forward(bytes);
    };
    from.on('data', (bytes: Buffer) => {
      if (this.#delayMs > 0) setTimeout(take, this.#delayMs, bytes);
      else take(bytes);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      if (isDead()) return;
      this.#links.delete(link);
      this.#dead.delete(link);
      to.destroySoon();
    });
  }
}

/** Breaks both ends of a link with a reset. */
export function endLink({ client, server }: Link): void {
  for (const socket of [client, server]) if (!socket.destroyed) socket.resetAndDestroy();
}
