import { CdrError } from '@cdr/core/errors';
import { isGzipName } from '@cdr/core/feeds';
import { GunzipReader } from './gunzip-reader.ts';
import { openReadWindow, type ReadWindowOptions, type RemoteFileReader } from './read-window.ts';
import type { SftpChannel } from './sftp-channel.ts';

export interface ContentOptions extends Pick<ReadWindowOptions, 'expectedSize'> {
  /** How many times its size a gzip file may become. */
  readonly gzipMaxRatio: number;
  /**
   * Look what it is before it is opened, which costs a round trip: a server that opens a pipe answers nothing until
   * somebody writes to it. For a file at which another attempt was not answered.
   */
  readonly lookFirst?: boolean;
}

/**
 * Opens a file to be read as what it holds: one whose name ends with `.gz` is decompressed on the way, any other one comes
 * as it is. Throws what openReadWindow throws; `file-vanished` for what is no regular file.
 */
export async function openContent(
  channel: SftpChannel,
  path: string,
  { gzipMaxRatio, lookFirst = false, ...options }: ContentOptions,
): Promise<RemoteFileReader> {
  if (lookFirst && !(await channel.stat(path)).isRegularFile)
    throw new CdrError('file-vanished', `${path} is not a regular file any more`, {
      hint: 'Only regular files are read: find out who has put something else in its place',
    });
  const reader = await openReadWindow(channel, path, options);
  return isGzipName(path) ? new GunzipReader(reader, gzipMaxRatio) : reader;
}
