import { CdrError } from '@cdr/core/errors';
import type { SFTPWrapper } from 'ssh2';
import { ChunkPool } from './chunk-pool.ts';
import { identityOf, isRegularFile, toRemoteEntry, type GivenAttributes, type RemoteEntry } from './remote-entry.ts';
import { SFTP_STATUS, sftpStatusOf, toSftpError } from './sftp-errors.ts';
import { writeRemoteFile } from './write-file.ts';

/** OpenSSH answers a READ with at most this much; asking for more costs a second, sequential READ. */
export const CHUNK_BYTES = 261_120;
/** READs in flight for one file, and whole chunks that a channel keeps. */
export const WINDOW_DEPTH = 8;
/** A READDIR brings about 100 entries; one at a time, a listing costs a round trip for each 100. */
const READDIRS_IN_FLIGHT = 16;

/** What goes over the connection's first channel, whichever channel asks for it. */
export interface SharedOperations {
  rename(from: string, to: string, replace: boolean): Promise<unknown>;
  remove(path: string): Promise<unknown>;
}

export interface ChannelOptions {
  readonly answerTimeoutMs: number;
  /** Told when nothing was answered for so long although something was asked. */
  readonly onSilent: (error: CdrError) => void;
  readonly onLost: (error: CdrError) => void;
}

interface ListedEntry {
  readonly filename: string;
  readonly longname: string;
  readonly attrs: GivenAttributes;
}

/** What a READDIR brought. */
type DirectoryPage = readonly ListedEntry[] | 'end' | CdrError;

interface Waiting {
  readonly reject: (error: Error) => void;
}

type Answer<Value> = (error: Error | null | undefined, value: Value) => void;

/**
 * One SFTP session on a connection: what one slot reads, lists and writes with. Many requests may be in flight, and may be
 * answered in any order. When the session is lost, everything that waits for it is rejected with `sftp-unavailable`: ssh2
 * itself forgets callbacks when a connection dies.
 */
export class SftpChannel {
  /** Read buffers that outlive a file. */
  readonly chunks = new ChunkPool(CHUNK_BYTES, WINDOW_DEPTH);
  readonly #sftp: SFTPWrapper;
  readonly #shared: SharedOperations;
  readonly #waiting = new Set<Waiting>();
  readonly #watchdog: NodeJS.Timeout;
  readonly #onLost: (error: CdrError) => void;
  #lastAnswerAt = 0;
  #lost: CdrError | undefined;

  constructor(sftp: SFTPWrapper, shared: SharedOperations, options: ChannelOptions) {
    this.#sftp = sftp;
    this.#shared = shared;
    this.#onLost = options.onLost;
    const lose = (error?: Error) =>
      this.lose(toSftpError('using the SFTP session', error ?? new Error('the server closed it')));
    sftp.on('error', lose);
    sftp.on('end', () => lose());
    sftp.on('close', () => lose());
    this.#watchdog = setInterval(() => {
      if (this.#waiting.size === 0 || performance.now() - this.#lastAnswerAt < options.answerTimeoutMs) return;
      options.onSilent(
        new CdrError('sftp-unavailable', `the SFTP server answers nothing for ${options.answerTimeoutMs} ms`, {
          hint: 'Its connection is alive: look for a hanging disk or file system on the server',
        }),
      );
    }, options.answerTimeoutMs / 4);
    this.#watchdog.unref();
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Rejects what waits and whatever is asked from now on. For the connection, which notices first. */
  lose(error: CdrError): void {
    if (this.#lost) return;
    this.#lost = error;
    clearInterval(this.#watchdog);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
    this.#onLost(error);
  }

  /**
   * Sends one request and calls exactly one of the two functions once: with ssh2's answer, or with the error that ssh2
   * or the loss of the channel gives. After a loss ssh2 may still write into a buffer that was given to a READ.
   */
  send<Value>(
    transmit: (sftp: SFTPWrapper, answer: Answer<Value>) => void,
    onAnswer: (value: Value) => void,
    onError: (error: Error) => void,
  ): void {
    if (this.#lost) return onError(this.#lost);
    if (this.#waiting.size === 0) this.#lastAnswerAt = performance.now();
    const waiting: Waiting = { reject: onError };
    this.#waiting.add(waiting);
    const answer: Answer<Value> = (error, value) => {
      if (!this.#waiting.delete(waiting)) return;
      this.#lastAnswerAt = performance.now();
      if (error) onError(error);
      else onAnswer(value);
    };
    try {
      transmit(this.#sftp, answer);
    } catch (error) {
      if (this.#waiting.delete(waiting)) onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** One request as a promise. `what` goes into the error's message. */
  request<Value>(what: string, transmit: (sftp: SFTPWrapper, answer: Answer<Value>) => void): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.send(transmit, resolve, (error) => reject(toSftpError(what, error)));
    });
  }

  /** Everything in a directory at once: see listPages. */
  async list(directory: string): Promise<RemoteEntry[]> {
    return (await Array.fromAsync(this.listPages(directory))).flat();
  }

  /**
   * Everything in a directory, about a hundred entries at a time, in any order, without `.` and `..`, each name once.
   * Symbolic links are listed as such. Throws CdrError `sftp-directory` when there is no such directory. Names are taken
   * for UTF-8; one that is not cannot be opened under the name listed here.
   */
  async *listPages(directory: string): AsyncGenerator<RemoteEntry[]> {
    const what = `listing ${directory}`;
    let handle: Buffer;
    try {
      handle = await this.request<Buffer>(what, (sftp, answer) => sftp.opendir(directory, answer));
    } catch (error) {
      if (error instanceof CdrError && error.code === 'file-vanished')
        throw new CdrError('sftp-directory', `${what}: there is no such directory on the SFTP server`, {
          hint: 'Check SFTP_REMOTE_PATH; it is seen from where the SFTP user is locked in, if it is',
          cause: error,
        });
      throw error;
    }
    try {
      yield* this.#readDirectory(what, handle);
    } finally {
      this.closeHandle(handle);
    }
  }

  /** Size, mtime and kind of one path; a symbolic link is not followed. Throws CdrError `file-vanished`. */
  async stat(path: string): Promise<RemoteEntry> {
    const stats = await this.request<Parameters<typeof toRemoteEntry>[1]>(`looking at ${path}`, (sftp, answer) =>
      sftp.lstat(path, answer),
    );
    return toRemoteEntry(path.slice(path.lastIndexOf('/') + 1), stats);
  }

  async exists(path: string): Promise<boolean> {
    try {
      await this.stat(path);
      return true;
    } catch (error) {
      if (error instanceof CdrError && error.code === 'file-vanished') return false;
      throw error;
    }
  }

  /**
   * Fails when `to` exists, unless `replace` is set and the server knows OpenSSH's posix-rename. When the connection is
   * lost meanwhile, it may have been done or not.
   */
  rename(from: string, to: string, options: { readonly replace?: boolean } = {}): Promise<void> {
    return this.#viaShared(`renaming ${from} to ${to}`, () => this.#shared.rename(from, to, options.replace ?? false));
  }

  /** Deletes a file. Throws CdrError `file-vanished` when it is not there. */
  remove(path: string): Promise<void> {
    return this.#viaShared(`deleting ${path}`, () => this.#shared.remove(path));
  }

  /** Makes a directory below an existing one; content when it exists already. */
  async mkdir(path: string): Promise<void> {
    try {
      await this.request<void>(`making the directory ${path}`, (sftp, answer) => sftp.mkdir(path, (e) => answer(e)));
    } catch (error) {
      // SFTP 3 has no "exists already": it is the general failure
      const general = error instanceof CdrError && sftpStatusOf(error.cause) === SFTP_STATUS.failure;
      if (!general || (await this.stat(path)).isRegularFile) throw error;
    }
  }

  /**
   * Writes a whole file, as `.NAME.part` first and renamed when complete, so that nobody sees half of it. Replaces an
   * existing file.
   */
  writeFile(path: string, content: Buffer | AsyncIterable<Buffer>): Promise<void> {
    return writeRemoteFile(this, path, content);
  }

  /** Opens a file for reading and gives the server's handle. */
  openForReading(path: string): Promise<Buffer> {
    return this.request<Buffer>(`opening ${path}`, (sftp, answer) => sftp.open(path, 'r', answer));
  }

  /** Closes a handle without waiting: the server does it after everything that was asked before. */
  closeHandle(handle: Buffer): void {
    this.send<void>(
      (sftp, answer) => sftp.close(handle, (error) => answer(error)),
      () => undefined,
      () => undefined,
    );
  }

  /** Attributes of an open file. Throws CdrError `file-vanished` when it is no regular file. */
  async identityOfHandle(handle: Buffer, path: string): Promise<ReturnType<typeof identityOf>> {
    const stats = await this.request<Parameters<typeof identityOf>[1]>(`looking at ${path}`, (sftp, answer) =>
      sftp.fstat(handle, answer),
    );
    if (stats.mode !== undefined && !isRegularFile(stats.mode, '-'))
      throw new CdrError('file-vanished', `${path} is not a regular file any more`);
    return identityOf(path, stats);
  }

  /** An answer of any kind, as proof of life. */
  async ping(): Promise<void> {
    await this.request<string>('asking the SFTP server for its directory', (sftp, answer) =>
      sftp.realpath('.', answer),
    );
  }

  /** Keeps a number of READDIRs in flight while whoever takes the pages keeps up. */
  async *#readDirectory(what: string, handle: Buffer): AsyncGenerator<RemoteEntry[]> {
    const names = new Set<string>();
    const asked: Promise<DirectoryPage>[] = [];
    const askMore = () => {
      while (asked.length < READDIRS_IN_FLIGHT) asked.push(this.#readDirectoryPage(what, handle));
    };
    askMore();
    let ended = false;
    for (let next = asked.shift(); next; next = asked.shift()) {
      const page = await next;
      if (page instanceof Error) throw page;
      if (page === 'end') ended = true;
      // what was asked for behind the end is still waited for: nothing says that a server answers in order
      if (!ended) askMore();
      if (page !== 'end') yield newEntries(page, names);
    }
  }

  /** Never rejects: nobody may be waiting for it by the time it fails. */
  #readDirectoryPage(what: string, handle: Buffer): Promise<DirectoryPage> {
    return new Promise((resolve) => {
      this.send<ListedEntry[]>(
        // given a handle, ssh2 sends one READDIR and drops `.` and `..` from its answer
        (sftp, answer) => sftp.readdir(handle, answer),
        resolve,
        (error) => resolve(sftpStatusOf(error) === SFTP_STATUS.eof ? 'end' : toSftpError(what, error)),
      );
    });
  }

  /** The other channel's answer, or the loss of this one: both go with the connection. */
  #viaShared(what: string, operation: () => Promise<unknown>): Promise<void> {
    return this.request<void>(what, (_sftp, answer) => {
      operation().then(
        () => answer(undefined),
        (error: unknown) => answer(error instanceof Error ? error : new Error(String(error))),
      );
    });
  }
}

/** Those entries of a page that are not among the names, which are added to them. */
function newEntries(page: readonly ListedEntry[], names: Set<string>): RemoteEntry[] {
  const entries: RemoteEntry[] = [];
  for (const { filename, longname, attrs } of page) {
    if (names.has(filename)) continue;
    names.add(filename);
    entries.push(toRemoteEntry(filename, attrs, longname));
  }
  return entries;
}
