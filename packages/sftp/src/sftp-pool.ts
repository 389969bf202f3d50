import { setTimeout as sleep } from 'node:timers/promises';
import { CdrError } from '@cdr/core/errors';
import { ConnectBackoff } from './connect-backoff.ts';
import type { SftpChannel } from './sftp-channel.ts';
import { SftpConnection } from './sftp-connection.ts';
import type { SftpSettings } from './sftp-settings.ts';

/** sshd allows 10 sessions on a connection unless told otherwise (MaxSessions). */
const CHANNELS_PER_CONNECTION = 8;
const PROBE_TIMEOUT_MS = 5_000;

/** Told to whoever logs and counts; must not throw. */
export interface SftpPoolEvents {
  readonly onConnected?: () => void;
  readonly onConnectFailed?: (error: CdrError) => void;
  readonly onLost?: (error: CdrError) => void;
}

interface Member {
  readonly connection: SftpConnection;
  readonly idle: SftpChannel[];
  /** Handed out, idle, or being opened. */
  channels: number;
  /** Lowered when the server allows fewer. */
  maxChannels: number;
}

/**
 * The SFTP channels of a process, one for each user at a time, on as few connections as sshd's limits allow.
 * Connections are made when they are needed, kept, and made again after a loss; everybody who waits shares one attempt.
 */
export class SftpPool {
  readonly #settings: SftpSettings;
  readonly #events: SftpPoolEvents;
  readonly #backoff = new ConnectBackoff();
  readonly #closing = new AbortController();
  readonly #homes = new WeakMap<SftpChannel, Member>();
  #members: Member[] = [];
  #connecting: Promise<Member> | undefined;
  #probing: Promise<void> | undefined;

  constructor(settings: SftpSettings, events: SftpPoolEvents = {}) {
    this.#settings = settings;
    this.#events = events;
  }

  /** Connections that are up. */
  get connectionCount(): number {
    return this.#members.length;
  }

  /** Runs `work` with a channel of its own and takes the channel back afterwards. Throws what `acquire` and it throw. */
  async withChannel<Result>(work: (channel: SftpChannel) => Promise<Result>): Promise<Result> {
    const channel = await this.acquire();
    try {
      return await work(channel);
    } finally {
      this.release(channel);
    }
  }

  /**
   * A channel that nobody else uses; to be released. After a failed connection attempt it waits for the next one's
   * result, 2 s and readyTimeoutMs at most; a refused login is answered at once from the last attempt while its pause
   * lasts. Throws CdrError: `sftp-unavailable`, `sftp-auth`, `sftp-host-key`, or `shutdown` when closed.
   */
  async acquire(): Promise<SftpChannel> {
    for (;;) {
      if (this.#closing.signal.aborted) throw closedError();
      const channel = this.#takeIdle();
      if (channel) return channel;
      const member = this.#members.find(
        ({ connection, channels, maxChannels }) => !connection.isLost && channels < maxChannels,
      );
      if (!member) {
        await this.#connect();
        continue;
      }
      const opened = await this.#openChannel(member);
      if (opened) return opened;
    }
  }

  /** Takes a channel back; a lost one is forgotten. */
  release(channel: SftpChannel): void {
    const member = this.#homes.get(channel);
    if (!member) return;
    if (channel.isLost) {
      this.#homes.delete(channel);
      member.channels--;
    } else if (!member.idle.includes(channel)) member.idle.push(channel);
  }

  /**
   * Resolves when the server answers: over a connection that is there, else by making one, which is kept. Several at
   * once share one probe. Throws CdrError as `acquire`.
   */
  probe(): Promise<void> {
    this.#probing ??= this.#askServer().finally(() => (this.#probing = undefined));
    return this.#probing;
  }

  /** Ends everything within 2 s, dead peers included; whatever waits is rejected. */
  async close(): Promise<void> {
    this.#closing.abort();
    const members = this.#members;
    this.#members = [];
    await Promise.all(members.map(({ connection }) => connection.close()));
    await this.#connecting?.catch(() => undefined);
  }

  async #askServer(): Promise<void> {
    if (this.#closing.signal.aborted) throw closedError();
    const member = this.#members.find(({ connection }) => !connection.isLost);
    if (member) await member.connection.ping(PROBE_TIMEOUT_MS);
    else await this.#connect();
  }

  #takeIdle(): SftpChannel | undefined {
    for (const member of this.#members) {
      for (let channel = member.idle.pop(); channel; channel = member.idle.pop()) {
        if (!channel.isLost) return channel;
        member.channels--;
      }
    }
    return undefined;
  }

  /** A new channel; undefined when the server allows no more on this connection. */
  async #openChannel(member: Member): Promise<SftpChannel | undefined> {
    member.channels++;
    try {
      const channel = await member.connection.openChannel();
      this.#homes.set(channel, member);
      return channel;
    } catch (error) {
      member.channels--;
      // A server that drops whoever it lets in must not keep us connecting for ever. One that refuses a channel gives
      // fewer than we take it to (MaxSessions), but a connection without any is no use.
      if (member.connection.isLost || member.channels === 0) throw error;
      member.maxChannels = member.channels;
      return undefined;
    }
  }

  #connect(): Promise<Member> {
    this.#connecting ??= this.#connectOnce().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  async #connectOnce(): Promise<Member> {
    const refusal = this.#backoff.standingRefusal;
    if (refusal) throw refusal;
    const { signal } = this.#closing;
    try {
      if (this.#backoff.waitMs > 0) await sleep(this.#backoff.waitMs, undefined, { signal });
      const connection = await SftpConnection.connect(this.#settings, signal);
      if (signal.aborted) await connection.close();
      signal.throwIfAborted();
      return this.#admit(connection);
    } catch (error) {
      if (signal.aborted) throw closedError();
      const failure =
        error instanceof CdrError ? error : new CdrError('unexpected', 'connecting failed', { cause: error });
      this.#backoff.failed(failure);
      this.#events.onConnectFailed?.(failure);
      throw failure;
    }
  }

  #admit(connection: SftpConnection): Member {
    const member: Member = { connection, idle: [], channels: 0, maxChannels: CHANNELS_PER_CONNECTION };
    this.#members.push(member);
    this.#backoff.succeeded();
    this.#events.onConnected?.();
    void connection.whenLost.then((error) => {
      this.#forget(member);
      if (!this.#closing.signal.aborted) this.#events.onLost?.(error);
    });
    return member;
  }

  #forget(member: Member): void {
    this.#members = this.#members.filter((other) => other !== member);
  }
}

function closedError(): CdrError {
  return new CdrError('shutdown', 'the SFTP pool is closed');
}
