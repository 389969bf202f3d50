import type { Settings } from '@cdr/core/settings';
import type { SftpSettings } from './sftp-settings.ts';

/** The variables that say how to reach the SFTP server. */
export const SFTP_ENV = [
  'SFTP_HOST',
  'SFTP_PORT',
  'SFTP_USER',
  'SFTP_PASSWORD',
  'SFTP_PRIVATE_KEY_FILE',
  'SFTP_PRIVATE_KEY_PASSPHRASE',
  'SFTP_HOST_KEY',
  'SFTP_REMOTE_PATH',
] as const;
type SftpEnv = Settings<(typeof SFTP_ENV)[number]>;

/** A private key wins over the password. `readFile` reads it; what it throws is for the caller to report. */
export function sftpFrom(env: SftpEnv, readFile: (path: string) => string): SftpSettings {
  const keyFile = env.SFTP_PRIVATE_KEY_FILE;
  const passphrase = env.SFTP_PRIVATE_KEY_PASSPHRASE;
  return {
    host: env.SFTP_HOST,
    port: env.SFTP_PORT,
    user: env.SFTP_USER,
    ...(keyFile
      ? { privateKey: readFile(keyFile), ...(passphrase ? { passphrase } : {}) }
      : { password: env.SFTP_PASSWORD }),
    hostKey: env.SFTP_HOST_KEY === 'any' ? 'any' : env.SFTP_HOST_KEY.split(',').map((key) => key.trim()),
    remotePath: env.SFTP_REMOTE_PATH,
  };
}
