import { isGzipName } from '@cdr/core/feeds';
import { GunzipReader } from './gunzip-reader.ts';
import { openReadWindow, type ReadWindowOptions, type RemoteFileReader } from './read-window.ts';
import type { SftpChannel } from './sftp-channel.ts';

export interface ContentOptions extends Pick<ReadWindowOptions, 'expectedSize'> {
  /** How many times its size a gzip file may become. */
  readonly gzipMaxRatio: number;
}

/**
 * Opens a file to be read as what it holds: one whose name ends with `.gz` is decompressed on the way, any other one comes
 * as it is. Throws what openReadWindow throws.
 */
export async function openContent(
  channel: SftpChannel,
  path: string,
  { gzipMaxRatio, ...options }: ContentOptions,
): Promise<RemoteFileReader> {
  const reader = await openReadWindow(channel, path, options);
  return isGzipName(path) ? new GunzipReader(reader, gzipMaxRatio) : reader;
}
