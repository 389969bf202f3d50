import { CdrError } from '@cdr/core/errors';
import type { FileIdentity } from '@cdr/core/ledger-record';
import type { Attributes } from 'ssh2';

/** A directory entry as the server lists it. Size in bytes; mtime has the server's one-second grain. */
export interface RemoteEntry extends FileIdentity {
  readonly name: string;
  /** False for directories, symbolic links, sockets and the like, and where the server does not say. */
  readonly isRegularFile: boolean;
}

/** The attributes a server may leave out (draft-ietf-secsh-filexfer-02, section 5). */
export type GivenAttributes = Partial<Pick<Attributes, 'mode' | 'size' | 'mtime'>>;

const TYPE_BITS = 0o170000;
const REGULAR = 0o100000;

/**
 * Whether attributes belong to a regular file. Servers that send permissions without the type say it in the long name,
 * as `ls -l` prints it.
 */
export function isRegularFile(mode: number | undefined, longname = ''): boolean {
  const type = (mode ?? 0) & TYPE_BITS;
  return type === 0 ? longname.startsWith('-') : type === REGULAR;
}

/** Size and mtime of a regular file. Throws CdrError `unexpected` when the server does not give them. */
export function identityOf(path: string, attributes: GivenAttributes): FileIdentity {
  const { size, mtime } = attributes;
  if (size === undefined || mtime === undefined)
    throw new CdrError('unexpected', `the SFTP server gives no size or no time of ${path}`, {
      hint: 'Only servers that give both can be read from: they are what tells whether a file has changed',
    });
  return { size, mtimeMs: mtime * 1000 };
}

/** An entry of a listing. A missing size or time matters only for regular files. */
export function toRemoteEntry(name: string, attributes: GivenAttributes, longname?: string): RemoteEntry {
  if (isRegularFile(attributes.mode, longname)) return { name, ...identityOf(name, attributes), isRegularFile: true };
  return { name, size: attributes.size ?? 0, mtimeMs: (attributes.mtime ?? 0) * 1000, isRegularFile: false };
}
