import { SettingsError, type Settings } from '@cdr/core/settings';
import { fingerprintOf, keyTypeOf } from './host-key.ts';
import { knownHostKeys } from './known-hosts.ts';
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
  'SFTP_KNOWN_HOSTS_FILE',
  'SFTP_REMOTE_PATH',
] as const;
type SftpEnv = Settings<(typeof SFTP_ENV)[number]>;

/**
 * A private key wins over the password. `readFile` reads it and the known hosts; what it throws is for the caller to
 * report. Throws SettingsError when the server's key cannot be told from the settings.
 */
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
    ...hostKeyFrom(env, readFile),
    remotePath: env.SFTP_REMOTE_PATH,
  };
}

function hostKeyFrom(env: SftpEnv, readFile: (path: string) => string): Pick<SftpSettings, 'hostKey' | 'hostKeyTypes'> {
  const { SFTP_HOST: host, SFTP_PORT: port, SFTP_HOST_KEY: pinned, SFTP_KNOWN_HOSTS_FILE: file } = env;
  if (pinned && file) throw new SettingsError(['SFTP_HOST_KEY and SFTP_KNOWN_HOSTS_FILE are both set: keep one']);
  if (pinned) return { hostKey: pinned === 'any' ? 'any' : pinned.split(',').map((key) => key.trim()) };
  const { accepted, revoked, unusable } = knownHostKeys(file ? readFile(file) : '', host, port);
  if (accepted.length > 0)
    return { hostKey: accepted.map(fingerprintOf), hostKeyTypes: [...new Set(accepted.map(keyTypeOf))] };
  const name = port === 22 ? host : `[${host}]:${port}`;
  const lines =
    revoked.length + unusable > 0
      ? `; of its lines there ${revoked.length} are revoked, and ${unusable} hold no key to compare (host certificates are not known here)`
      : '';
  throw new SettingsError([
    `SFTP_KNOWN_HOSTS_FILE has no key of ${name}${lines}. Add the line that "ssh-keyscan -p ${port} ${host}" prints, ` +
      'once the operator of the server has confirmed its fingerprint',
  ]);
}
