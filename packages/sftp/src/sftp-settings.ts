/** How to reach the SFTP server. Secrets live here and nowhere else; never log it whole. */
export interface SftpSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Also answers keyboard-interactive. Not used when a private key is given. */
  readonly password?: string | undefined;
  readonly privateKey?: string | Buffer | undefined;
  readonly passphrase?: string | undefined;
  /** SHA256 fingerprints as `ssh-keygen -lf` prints them, one of which the server must show; `any` checks nothing. */
  readonly hostKey: 'any' | readonly string[];
  /** Kinds of the pinned keys (`ssh-ed25519`), where they are known: a server with several keys is asked for these first. */
  readonly hostKeyTypes?: readonly string[];
  /** Directory with the files. */
  readonly remotePath: string;
  readonly keepaliveIntervalMs?: number;
  /** So many unanswered keepalives end the connection. */
  readonly keepaliveCountMax?: number;
  /** From the look-up of the name to the first channel. */
  readonly readyTimeoutMs?: number;
  /**
   * A server that keeps the connection alive but answers nothing for so long counts as away. Keepalives do not show
   * this: sshd answers them while its SFTP part waits for a disk.
   */
  readonly answerTimeoutMs?: number;
}

export const SFTP_DEFAULTS = {
  keepaliveIntervalMs: 10_000,
  keepaliveCountMax: 3,
  readyTimeoutMs: 20_000,
  answerTimeoutMs: 60_000,
} as const;
