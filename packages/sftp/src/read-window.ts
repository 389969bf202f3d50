import { CdrError } from '@cdr/core/errors';
import type { FileIdentity } from '@cdr/core/ledger-record';
import { ChunkPool } from './chunk-pool.ts';
import { sftpStatusOf, toSftpError, SFTP_STATUS } from './sftp-errors.ts';
import { CHUNK_BYTES, WINDOW_DEPTH, type SftpChannel } from './sftp-channel.ts';

export interface ReadWindowOptions {
  /** Chunks in flight, waiting to be taken, or taken and not yet released: the reader's memory. */
  readonly depth?: number;
  readonly chunkBytes?: number;
  /** First byte to read; 0 when absent. */
  readonly startAt?: number;
  /** Size the caller expects: the first READs then go out together with the fstat, which saves a round trip. */
  readonly expectedSize?: number;
}

/** An open file of the server, read from front to back: what it holds, which a compressed file's bytes are not. */
export interface RemoteFileReader {
  /** Size and mtime right after opening. The size is where reading ends, whatever is appended meanwhile. */
  readonly identity: FileIdentity;
  /** `next` gives other bytes than the server has: those that a gzip file was made of. */
  readonly isCompressed: boolean;
  /** How many bytes `next` gives in all; of a compressed file not known before it has given null. */
  readonly contentBytes: number | undefined;
  /** How many of the bytes on the server have been taken: how far the reading is, in terms of the size. */
  readonly fileBytesRead: number;
  /** The last byte on the server; undefined when the file is empty. */
  readLastByte(): Promise<number | undefined>;
  /**
   * The next bytes, in order; null after the last. One call at a time. The buffer is the caller's until it is released;
   * while `depth` buffers are not released, nothing more is read and nothing more comes.
   * Rejects with CdrError: `file-changed` when the file is shorter than it was, `sftp-unavailable` when the connection
   * is lost; for a compressed file also what GunzipReader says.
   */
  next(): Promise<Buffer | null>;
  /** Gives a buffer of `next` back; nothing may touch it afterwards. */
  release(buffer: Buffer): void;
  /** Size and mtime now, of the file that was opened (not of another one that has taken its name). */
  fstat(): Promise<FileIdentity>;
  /** Ends the reading at any time, also while READs are in flight, without waiting. A `next` that waits is rejected. */
  close(): void;
}

/** An open file as the window needs it. */
export interface OpenFile {
  /** Calls exactly one of the two functions once. 0 bytes mean the end of the file. */
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    onRead: (bytes: number) => void,
    onError: (error: Error) => void,
  ): void;
}

interface Slot {
  readonly buffer: Buffer;
  readonly position: number;
  filledBytes: number;
}

interface Waiter<Value> {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: Error) => void;
}

/** Reads the bytes from `start` to `end` of a file ahead of the consumer, in bounded memory. */
export class ReadWindow {
  /** Bytes that `next` has given. */
  bytesTaken = 0;
  readonly #file: OpenFile;
  readonly #path: string;
  readonly #end: number;
  readonly #depth: number;
  readonly #chunks: ChunkPool;
  /** Asked for and not yet taken, in the order of the file. */
  readonly #slots: Slot[] = [];
  readonly #taken = new Set<Buffer>();
  #position: number;
  #waiter: Waiter<Buffer | null> | undefined;
  #lastByteWaiters: Waiter<number>[] = [];
  #lastByte: number | undefined;
  #failure: Error | undefined;

  constructor(
    file: OpenFile,
    range: { readonly path: string; readonly start: number; readonly end: number },
    options: { readonly depth: number; readonly chunks: ChunkPool },
  ) {
    this.#file = file;
    this.#path = range.path;
    this.#position = range.start;
    this.#end = range.end;
    this.#depth = options.depth;
    this.#chunks = options.chunks;
    this.#fill();
  }

  next(): Promise<Buffer | null> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#waiter) return Promise.reject(new Error('next() was called while an earlier call waits'));
    const ready = this.#takeReady();
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  release(buffer: Buffer): void {
    if (!this.#taken.delete(buffer)) throw new Error('this buffer was not handed out, or was released before');
    this.#chunks.give(buffer);
    this.#fill();
  }

  /** The last byte of the range, when the chunk that has it was asked for already; undefined when it was not. */
  lastByteOnItsWay(): Promise<number> | undefined {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#lastByte !== undefined) return Promise.resolve(this.#lastByte);
    if (this.#position < this.#end || this.#slots.length === 0) return undefined;
    return new Promise((resolve, reject) => this.#lastByteWaiters.push({ resolve, reject }));
  }

  /** Rejects whoever waits, and lets go of all buffers. */
  stop(reason: Error): void {
    this.#fail(reason);
    // a slot that is not full may still be written to by an answer under way: its buffer is dropped
    for (const slot of this.#slots) if (isFull(slot)) this.#chunks.give(slot.buffer);
    this.#slots.length = 0;
  }

  #fill(): void {
    while (!this.#failure && this.#position < this.#end && this.#slots.length + this.#taken.size < this.#depth) {
      const bytes = Math.min(this.#chunks.chunkBytes, this.#end - this.#position);
      const slot: Slot = { buffer: this.#chunks.take(bytes), position: this.#position, filledBytes: 0 };
      this.#position += bytes;
      this.#slots.push(slot);
      this.#read(slot);
    }
  }

  /** Reads what a slot lacks; servers may answer with less than was asked for. */
  #read(slot: Slot): void {
    const { buffer, position, filledBytes } = slot;
    this.#file.read(
      buffer,
      filledBytes,
      buffer.length - filledBytes,
      position + filledBytes,
      (bytes) => {
        if (this.#failure) return;
        if (bytes === 0) return this.#fail(tooShort(this.#path, position + filledBytes, this.#end));
        slot.filledBytes += bytes;
        if (!isFull(slot)) return this.#read(slot);
        if (position + buffer.length === this.#end) this.#tellLastByte(buffer[buffer.length - 1]);
        if (this.#slots[0] === slot) this.#serve();
      },
      (error) => this.#fail(error),
    );
  }

  #serve(): void {
    const waiter = this.#waiter;
    if (!waiter) return;
    const ready = this.#takeReady();
    if (ready === undefined) return;
    this.#waiter = undefined;
    waiter.resolve(ready);
  }

  /** The next buffer, null at the end, undefined while it is not there yet. */
  #takeReady(): Buffer | null | undefined {
    const slot = this.#slots[0];
    if (!slot) return this.#position >= this.#end ? null : undefined;
    if (!isFull(slot)) return undefined;
    this.#slots.shift();
    this.#taken.add(slot.buffer);
    this.bytesTaken += slot.buffer.length;
    return slot.buffer;
  }

  #tellLastByte(byte: number | undefined): void {
    if (byte === undefined) return;
    this.#lastByte = byte;
    const waiters = this.#lastByteWaiters;
    this.#lastByteWaiters = [];
    for (const { resolve } of waiters) resolve(byte);
  }

  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#waiter?.reject(error);
    this.#waiter = undefined;
    const waiters = this.#lastByteWaiters;
    this.#lastByteWaiters = [];
    for (const { reject } of waiters) reject(error);
  }
}

/**
 * Opens a file and begins to read it. Round trips until a file of one chunk (100 kB, say) is there: open; fstat and READ
 * together, when `expectedSize` is right; and none for the last byte, which is in the chunk, nor for close. Without
 * `expectedSize`, or when it is wrong, one more.
 * Throws CdrError `file-vanished`, `sftp-permission`, `sftp-unavailable`.
 */
export async function openReadWindow(
  channel: SftpChannel,
  path: string,
  options: ReadWindowOptions = {},
): Promise<RemoteFileReader> {
  const { depth = WINDOW_DEPTH, chunkBytes = CHUNK_BYTES, startAt = 0, expectedSize } = options;
  const chunks = chunkBytes === channel.chunks.chunkBytes ? channel.chunks : new ChunkPool(chunkBytes, depth);
  const handle = await channel.openForReading(path);
  const file = openFileOn(channel, handle, path);
  const windowTo = (end: number) => new ReadWindow(file, { path, start: startAt, end }, { depth, chunks });
  // the server answers in order, so the fstat still tells the file's size before the first byte was read
  const looking = channel.identityOfHandle(handle, path);
  const early = expectedSize === undefined ? undefined : windowTo(expectedSize);
  try {
    const identity = await looking;
    const window = early && identity.size === expectedSize ? early : windowTo(identity.size);
    if (window !== early) early?.stop(new Error('the size was not the expected one'));
    return new OpenReader(channel, handle, path, identity, window, file);
  } catch (error) {
    early?.stop(error instanceof Error ? error : new Error(String(error)));
    channel.closeHandle(handle);
    throw error;
  }
}

class OpenReader implements RemoteFileReader {
  readonly identity: FileIdentity;
  readonly isCompressed = false;
  readonly #channel: SftpChannel;
  readonly #handle: Buffer;
  readonly #path: string;
  readonly #window: ReadWindow;
  readonly #file: OpenFile;
  #closed = false;

  constructor(
    channel: SftpChannel,
    handle: Buffer,
    path: string,
    identity: FileIdentity,
    window: ReadWindow,
    file: OpenFile,
  ) {
    this.#channel = channel;
    this.#handle = handle;
    this.#path = path;
    this.identity = identity;
    this.#window = window;
    this.#file = file;
  }

  get contentBytes(): number {
    return this.identity.size;
  }

  get fileBytesRead(): number {
    return this.#window.bytesTaken;
  }

  async readLastByte(): Promise<number | undefined> {
    const { size } = this.identity;
    if (size === 0) return undefined;
    return (await this.#window.lastByteOnItsWay()) ?? this.#readByteAt(size - 1);
  }

  next(): Promise<Buffer | null> {
    return this.#window.next();
  }

  release(buffer: Buffer): void {
    this.#window.release(buffer);
  }

  fstat(): Promise<FileIdentity> {
    if (this.#closed) return Promise.reject(closedError(this.#path));
    return this.#channel.identityOfHandle(this.#handle, this.#path);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#window.stop(closedError(this.#path));
    this.#channel.closeHandle(this.#handle);
  }

  #readByteAt(position: number): Promise<number> {
    if (this.#closed) return Promise.reject(closedError(this.#path));
    return new Promise((resolve, reject) => {
      const buffer = Buffer.alloc(1);
      this.#file.read(
        buffer,
        0,
        1,
        position,
        (bytes) => (bytes === 1 ? resolve(buffer.readUInt8(0)) : reject(tooShort(this.#path, position, position + 1))),
        reject,
      );
    });
  }
}

function openFileOn(channel: SftpChannel, handle: Buffer, path: string): OpenFile {
  const what = `reading ${path}`;
  return {
    read(buffer, offset, length, position, onRead, onError) {
      channel.send<number>(
        (sftp, answer) => sftp.read(handle, buffer, offset, length, position, answer),
        onRead,
        // ssh2 gives the end of the file as 0 bytes; the status is for servers and versions that do otherwise
        (error) => (sftpStatusOf(error) === SFTP_STATUS.eof ? onRead(0) : onError(toSftpError(what, error))),
      );
    },
  };
}

function isFull(slot: Slot): boolean {
  return slot.filledBytes === slot.buffer.length;
}

function tooShort(path: string, position: number, expected: number): CdrError {
  return new CdrError('file-changed', `${path} has no bytes at ${position} of ${expected}: it became shorter`);
}

function closedError(path: string): Error {
  return new Error(`the reader of ${path} was closed`);
}
