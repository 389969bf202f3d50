import net from 'node:net';
import { CdrError } from '@cdr/core/errors';
import { gatherWrites } from '@cdr/core/gather-writes';
import type { ConnectConfig, SFTPWrapper } from 'ssh2';
import SftpClient from 'ssh2-sftp-client';
import { hostKeyAlgorithms, HostKeyCheck } from './host-key.ts';
import { SftpChannel } from './sftp-channel.ts';
import { toConnectError, toSftpError } from './sftp-errors.ts';
import { SFTP_DEFAULTS, type SftpSettings } from './sftp-settings.ts';
import { keepKeyObjects } from './ssh2-keys.ts';

/** How long a peer has to take our goodbye. */
const CLOSE_GRACE_MS = 1_000;

/** One SSH connection and the SFTP channels on it. Once it is lost or closed it stays so. */
export class SftpConnection {
  /** Resolves, with the reason, when the connection is lost or closed; never rejects. */
  readonly whenLost: Promise<CdrError>;
  readonly #settings: SftpSettings;
  readonly #socket: net.Socket;
  readonly #client: SftpClient;
  readonly #channels = new Set<SftpChannel>();
  readonly #hostKey: HostKeyCheck;
  readonly #tellLost: (reason: CdrError) => void;
  #lost: CdrError | undefined;
  #loggingIn = false;
  #ready = false;
  #first: SftpChannel | undefined;
  #firstIsOut = false;

  /**
   * Connects, checks the host key, logs in and opens the first channel. Throws CdrError: `sftp-unavailable`,
   * `sftp-auth` (also a private key that cannot be used), `sftp-host-key`; `shutdown` after `signal` aborts.
   */
  static async connect(settings: SftpSettings, signal?: AbortSignal): Promise<SftpConnection> {
    const connection = new SftpConnection(settings);
    const onAbort = () => connection.#lose(new CdrError('shutdown', 'connecting to the SFTP server was given up'));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await connection.#open();
      return connection;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  private constructor(settings: SftpSettings) {
    this.#settings = settings;
    this.#hostKey = new HostKeyCheck(settings.hostKey);
    const lost = Promise.withResolvers<CdrError>();
    this.whenLost = lost.promise;
    this.#tellLost = lost.resolve;
    const ignore = () => undefined;
    // without callbacks of its own it prints to the console
    this.#client = new SftpClient('sftp', { error: ignore, end: ignore, close: ignore });
    const ssh = this.#client.client;
    // the client adds three listeners for each operation under way
    ssh.setMaxListeners(0);
    ssh.on('error', (error: Error) => this.#lose(error));
    ssh.on('end', () => this.#lose(new Error('the server closed the connection')));
    ssh.on('close', () => this.#lose(new Error('the connection was closed')));
    ssh.on('handshake', () => {
      this.#loggingIn = true;
      keepKeyObjects(ssh);
    });
    ssh.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) =>
      finish(prompts.map(() => settings.password ?? '')),
    );
    ssh.on('change password', () =>
      this.#lose(
        new CdrError('sftp-auth', `the SFTP server wants a new password for ${settings.user}`, {
          hint: 'Have it changed on the server, then set SFTP_PASSWORD',
        }),
      ),
    );
    // A socket of our own: ssh2 leaves Nagle's algorithm on (21 instead of 157 MB/s), and its destroy() does nothing
    // once end() was called, which leaves a dead peer's socket open.
    this.#socket = gatherWrites(net.connect({ host: settings.host, port: settings.port, noDelay: true }));
    // also after ssh2 has let go of it, a late error must not end the process
    this.#socket.on('error', ignore);
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /**
   * A channel of its own for one user. Throws CdrError `sftp-unavailable` when the connection is lost, or refuses one
   * more channel (then `isLost` stays false).
   */
  async openChannel(): Promise<SftpChannel> {
    if (this.#lost) throw this.#lost;
    if (this.#first && !this.#firstIsOut && !this.#first.isLost) {
      this.#firstIsOut = true;
      return this.#first;
    }
    const opening = new Promise<SFTPWrapper>((resolve, reject) => {
      this.#client.client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp)));
    });
    try {
      return this.#adopt(await this.#untilLost(opening, 'opening a channel'));
    } catch (error) {
      throw this.#lost ?? toSftpError('opening a channel on the SFTP connection', error);
    }
  }

  /** Resolves when the server answers; throws CdrError `sftp-unavailable` when it does not within `timeoutMs`. */
  async ping(timeoutMs: number): Promise<void> {
    if (this.#lost || !this.#first) throw this.#lost ?? new CdrError('sftp-unavailable', 'not connected');
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new CdrError('sftp-unavailable', `the SFTP server does not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      await Promise.race([this.#first.ping(), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Rejects what waits, says goodbye, and is gone within a second even when the peer is dead. */
  async close(): Promise<void> {
    const reason = new CdrError('shutdown', 'the SFTP connection was closed');
    if (!this.#lost) this.#markLost(reason);
    if (this.#socket.destroyed) return;
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_GRACE_MS);
    this.#client.end().catch(() => undefined);
    // where no channel was opened yet, end() of the client does nothing
    this.#socket.end();
    await closed;
    clearTimeout(timer);
  }

  async #open(): Promise<void> {
    try {
      if (this.#lost) throw this.#lost;
      this.#first = this.#adopt(await this.#untilLost(this.#client.connect(this.#ssh2Config()), 'connecting'));
      this.#ready = true;
    } catch (error) {
      if (!this.#lost) this.#lose(error);
      throw this.#lost ?? error;
    }
  }

  #ssh2Config(): ConnectConfig {
    const { user, password, privateKey, passphrase, keepaliveIntervalMs, keepaliveCountMax } = this.#settings;
    const { hostKeyTypes } = this.#settings;
    const secret =
      privateKey === undefined
        ? password === undefined
          ? {}
          : // servers that ask PAM often offer only keyboard-interactive
            { password, tryKeyboard: true }
        : { privateKey, ...(passphrase === undefined ? {} : { passphrase }) };
    return {
      sock: this.#socket,
      username: user,
      ...secret,
      hostVerifier: this.#hostKey.verify,
      ...(hostKeyTypes ? { algorithms: { serverHostKey: hostKeyAlgorithms(hostKeyTypes) } } : {}),
      keepaliveInterval: keepaliveIntervalMs ?? SFTP_DEFAULTS.keepaliveIntervalMs,
      keepaliveCountMax: keepaliveCountMax ?? SFTP_DEFAULTS.keepaliveCountMax,
      // ours covers the name look-up and the first channel as well
      readyTimeout: 0,
    };
  }

  /** The promise's result; rejects when the connection is lost first, and loses it when it takes too long. */
  async #untilLost<Value>(promise: Promise<Value>, what: string): Promise<Value> {
    const timeoutMs = this.#settings.readyTimeoutMs ?? SFTP_DEFAULTS.readyTimeoutMs;
    const timer = setTimeout(() => this.#lose(new Error(`${what} took longer than ${timeoutMs} ms`)), timeoutMs);
    try {
      return await Promise.race([
        promise,
        this.whenLost.then((reason) => {
          throw reason;
        }),
      ]);
    } finally {
      clearTimeout(timer);
    }
  }

  #adopt(sftp: SFTPWrapper): SftpChannel {
    const channel = new SftpChannel(
      sftp,
      {
        rename: (from, to, replace) => (replace ? this.#client.posixRename(from, to) : this.#client.rename(from, to)),
        remove: (path) => this.#client.delete(path),
      },
      {
        answerTimeoutMs: this.#settings.answerTimeoutMs ?? SFTP_DEFAULTS.answerTimeoutMs,
        onSilent: (error) => this.#lose(error),
        onLost: (error) => {
          this.#channels.delete(channel);
          // renames and deletions go over the first one: without it the connection is half a connection
          if (channel === this.#first) this.#lose(error);
        },
      },
    );
    this.#channels.add(channel);
    return channel;
  }

  #lose(error: unknown): void {
    if (this.#lost) return;
    this.#markLost(
      this.#ready
        ? toSftpError('the connection to the SFTP server was lost', error)
        : toConnectError(this.#settings, {
            error,
            refusedHostKey: this.#hostKey.refused,
            loggingIn: this.#loggingIn,
          }),
    );
    this.#socket.destroy();
  }

  #markLost(reason: CdrError): void {
    this.#lost = reason;
    for (const channel of this.#channels) channel.lose(reason);
    this.#channels.clear();
    this.#tellLost(reason);
  }
}
