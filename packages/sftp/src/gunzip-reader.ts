import { createGunzip, type Gunzip } from 'node:zlib';
import { sameIdentity } from '@cdr/core/decide';
import { CdrError, type ErrorCode } from '@cdr/core/errors';
import type { FileIdentity } from '@cdr/core/ledger-record';
import type { RemoteFileReader } from './read-window.ts';

/** What zlib gives at a time, and nothing more is decompressed before that is taken. */
const OUT_BYTES = 256 * 1024;
/** Up to here a file may grow whatever its ratio: a small one full of equal rows is no bomb. */
export const GZIP_FREE_BYTES = 64 * 1024 * 1024;

/**
 * What a gzip file was made of, decompressed while it is read: one or several members, one after another (RFC 1952,
 * section 2.2). Nothing is decompressed that is not wanted, and nothing read that cannot be decompressed yet: besides the
 * file's own window there is one piece before zlib and one behind it.
 *
 * `next` gives null only when every byte of the file was part of a member, and each member ended with the checksum and
 * length of its content. Besides what the file's own reader says, it rejects with CdrError `gzip-truncated` when the file
 * ends within a member, `bad-gzip` when it is damaged or has something else behind its end, `gzip-too-large` when it
 * becomes more than `maxRatio` times its size and more than GZIP_FREE_BYTES. A file that is written to at this moment
 * looks damaged, too: `file-changed` then.
 */
export class GunzipReader implements RemoteFileReader {
  readonly isCompressed = true;
  readonly #file: RemoteFileReader;
  readonly #maxRatio: number;
  readonly #maxBytes: number;
  #gunzip: Gunzip | undefined;
  #content: AsyncIterator<Buffer> | undefined;
  #bytesGiven = 0;
  #contentBytes: number | undefined;
  #failure: Error | undefined;

  /** `file` is this reader's from now on; `maxRatio` is how many times its size it may become. */
  constructor(file: RemoteFileReader, maxRatio: number) {
    this.#file = file;
    this.#maxRatio = maxRatio;
    this.#maxBytes = Math.max(GZIP_FREE_BYTES, file.identity.size * maxRatio);
  }

  get identity(): FileIdentity {
    return this.#file.identity;
  }

  get contentBytes(): number | undefined {
    return this.#contentBytes;
  }

  get fileBytesRead(): number {
    return this.#file.fileBytesRead;
  }

  readLastByte(): Promise<number | undefined> {
    return this.#file.readLastByte();
  }

  async next(): Promise<Buffer | null> {
    if (this.#failure) throw this.#failure;
    try {
      this.#gunzip ??= this.#start();
      this.#content ??= this.#gunzip[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      const { done, value } = (await this.#content.next()) as IteratorResult<Buffer, undefined>;
      if (!done) return this.#checkRatio(value);
      // zlib takes the zeros that pad some archives for the end
      if (this.#gunzip.bytesWritten !== this.identity.size) throw behindTheEnd();
      this.#contentBytes = this.#bytesGiven;
      return null;
    } catch (error) {
      this.#failure = await this.#meaningOf(error);
      throw this.#failure;
    }
  }

  /** Nothing to give back: zlib makes a new buffer for each piece. */
  release(): void {}

  fstat(): Promise<FileIdentity> {
    return this.#file.fstat();
  }

  close(): void {
    this.#failure ??= new Error('the reader was closed');
    this.#gunzip?.destroy(new Error('the reader was closed'));
    this.#file.close();
  }

  #start(): Gunzip {
    const gunzip = createGunzip({ chunkSize: OUT_BYTES });
    // whoever calls `next` is told; without a listener the process would end
    gunzip.on('error', () => undefined);
    this.#feed(gunzip).catch((error: unknown) =>
      gunzip.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    return gunzip;
  }

  /** A piece at a time: zlib says that it is done with one when what it made of it was taken. */
  async #feed(gunzip: Gunzip): Promise<void> {
    for (let chunk = await this.#file.next(); chunk; chunk = await this.#file.next()) {
      const piece = chunk;
      await new Promise<void>((resolve, reject) => {
        gunzip.write(piece, (error) => (error ? reject(error) : resolve()));
      });
      this.#file.release(piece);
      if (gunzip.bytesWritten !== this.#file.fileBytesRead) throw behindTheEnd();
    }
    gunzip.end();
  }

  #checkRatio(piece: Buffer): Buffer {
    this.#bytesGiven += piece.length;
    if (this.#bytesGiven <= this.#maxBytes) return piece;
    throw new GzipFault(
      'gzip-too-large',
      `the file becomes more than ${this.#maxRatio} times its ${this.identity.size} bytes`,
      'Look at what is in it. If it is right, raise GZIP_MAX_RATIO, then: cdr retry FILE. Otherwise delete it',
    );
  }

  async #meaningOf(thrown: unknown): Promise<Error> {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const fault = error instanceof GzipFault ? error : faultOf(error, this.#bytesGiven);
    if (this.#failure || !fault) return this.#failure ?? error;
    try {
      const { code, message, hint, cause } = fault;
      return sameIdentity(await this.#file.fstat(), this.identity)
        ? new CdrError(code, message, { hint, cause })
        : new CdrError('file-changed', 'the file changed while it was being read', { cause });
    } catch (lost) {
      return lost instanceof Error ? lost : new Error(String(lost));
    }
  }
}

/** What is wrong with the file, if it is still the one that was opened. */
class GzipFault extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.hint = hint;
  }
}

const UPLOAD_AGAIN = 'Look at the file with gzip -t, and upload it again: a new upload is taken by itself';

function behindTheEnd(): GzipFault {
  return new GzipFault('bad-gzip', 'the file has bytes behind the end of its gzip data', UPLOAD_AGAIN);
}

/** Undefined for what is no fault of the file: zlib being out of memory, the connection, our own. */
function faultOf(error: Error, bytesGiven: number): GzipFault | undefined {
  switch ('code' in error ? error.code : undefined) {
    case 'Z_BUF_ERROR':
      return new GzipFault('gzip-truncated', `the gzip data have no end${after(bytesGiven)}`, UPLOAD_AGAIN, error);
    case 'Z_DATA_ERROR':
    case 'Z_NEED_DICT':
      return new GzipFault('bad-gzip', `the file is no sound gzip data${after(bytesGiven)}`, UPLOAD_AGAIN, error);
    default:
      return undefined;
  }
}

function after(bytesGiven: number): string {
  return bytesGiven === 0 ? '' : `, after ${bytesGiven} bytes of content`;
}
