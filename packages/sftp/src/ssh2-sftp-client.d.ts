/** The part of ssh2-sftp-client 12 that is used. It ships no types of its own. */
declare module 'ssh2-sftp-client' {
  import type { Client, ConnectConfig, SFTPWrapper } from 'ssh2';

  export default class SftpClient {
    constructor(name: string, callbacks: { error: (error: Error) => void; end: () => void; close: () => void });
    /** The connection below; further channels are opened on it. */
    readonly client: Client;
    connect(config: ConnectConfig): Promise<SFTPWrapper>;
    rename(from: string, to: string): Promise<string>;
    posixRename(from: string, to: string): Promise<string>;
    delete(path: string): Promise<string>;
    end(): Promise<boolean>;
  }
}
