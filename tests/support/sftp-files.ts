import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

/** When and how a file gets its content. */
export interface WriteOptions {
  /** Modification time in ms since 1970; SFTP shows whole seconds only. */
  mtimeMs?: number;
  /** Under a temporary name first and then renamed, so that nobody ever sees half of it. */
  atomic?: boolean;
}

/**
 * The files of one directory of the SFTP server, changed on its local disk: as an uploader would, but at once and
 * without a connection. They belong to the SFTP user, who may rename and delete them.
 */
export class SftpFiles {
  /** The directory on the local disk. */
  readonly localDir: string;
  /** The same directory for SFTP clients: the ingester's SFTP_REMOTE_PATH. */
  readonly remotePath: string;
  readonly #owner: { uid: number; gid: number };

  /** @param localDir made when it is not there; the directory above it belongs to the SFTP user */
  constructor(localDir: string, remotePath: string) {
    this.localDir = localDir;
    this.remotePath = remotePath;
    this.#owner = statSync(path.dirname(localDir));
    if (!existsSync(localDir)) this.makeDirectory('.');
  }

  /** Writes a file, replacing what was there; returns its size in bytes. */
  write(name: string, content: string | Uint8Array, { mtimeMs, atomic = false }: WriteOptions = {}): number {
    const file = this.path(name);
    const written = atomic ? path.join(path.dirname(file), `.${path.basename(file)}.part`) : file;
    writeFileSync(written, content);
    this.#give(written);
    if (mtimeMs !== undefined) setTimes(written, mtimeMs);
    if (atomic) renameSync(written, file);
    return statSync(file).size;
  }

  /** Adds to the end of a file, as a slow upload does. */
  append(name: string, content: string | Uint8Array, { mtimeMs }: Pick<WriteOptions, 'mtimeMs'> = {}): void {
    appendFileSync(this.path(name), content);
    this.#give(this.path(name));
    if (mtimeMs !== undefined) this.setMtime(name, mtimeMs);
  }

  /** Sets the modification time (ms since 1970). */
  setMtime(name: string, mtimeMs: number): void {
    setTimes(this.path(name), mtimeMs);
  }

  rename(from: string, to: string): void {
    renameSync(this.path(from), this.path(to));
  }

  remove(name: string): void {
    rmSync(this.path(name), { recursive: true });
  }

  makeDirectory(name: string): void {
    mkdirSync(this.path(name), { recursive: true });
    this.#give(this.path(name));
  }

  exists(name: string): boolean {
    return existsSync(this.path(name));
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  /** The names in the directory, sorted; or in another one, named from it. */
  names(directory = '.'): string[] {
    return readdirSync(this.path(directory)).sort();
  }

  /** Where a file is on the local disk. */
  path(name: string): string {
    return path.join(this.localDir, name);
  }

  #give(file: string): void {
    // Only root can give files away; without root they are the SFTP user's already.
    if (process.getuid?.() === 0) chownSync(file, this.#owner.uid, this.#owner.gid);
  }
}

function setTimes(file: string, mtimeMs: number): void {
  utimesSync(file, mtimeMs / 1000, mtimeMs / 1000);
}
