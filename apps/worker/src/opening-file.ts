import { openContent, type ContentOptions } from '@cdr/sftp/open-content';
import type { RemoteFileReader } from '@cdr/sftp/read-window';
import type { SftpChannel } from '@cdr/sftp/sftp-channel';
import type { SftpPool } from '@cdr/sftp/sftp-pool';

/**
 * A file that is being opened, on a channel of its own, while Kafka and Redis are asked whether it is wanted: reading
 * changes nothing, and a small file is at hand by then. What goes wrong shows to whoever asks for the reader.
 */
export class OpeningFile {
  private readonly sftp: SftpPool;
  private readonly opened: Promise<{ channel: SftpChannel; reader: RemoteFileReader }>;

  constructor(sftp: SftpPool, path: string, options: ContentOptions) {
    this.sftp = sftp;
    this.opened = this.open(path, options);
    this.opened.catch(() => undefined);
  }

  /** The open file. Throws CdrError: `file-vanished`, `sftp-permission`, `sftp-unavailable`. */
  async reader(): Promise<RemoteFileReader> {
    return (await this.opened).reader;
  }

  /** Closes the file and gives the channel back, as soon as it is open; nobody needs to wait for it. Never throws. */
  close(): void {
    this.opened.then(
      ({ channel, reader }) => {
        reader.close();
        this.sftp.release(channel);
      },
      () => undefined,
    );
  }

  private async open(
    path: string,
    options: ContentOptions,
  ): Promise<{ channel: SftpChannel; reader: RemoteFileReader }> {
    const channel = await this.sftp.acquire();
    try {
      return { channel, reader: await openContent(channel, path, options) };
    } catch (error) {
      this.sftp.release(channel);
      throw error;
    }
  }
}
