import { describe, expect, test } from 'vitest';
import { readSettings, SettingsError, withSecretFiles } from './settings.ts';

const KEY = 'SHA256:0123456789abcdefghijklmnopqrstuvwxyzABCDEFG';
const files: Readonly<Record<string, string>> = { '/keys/fingerprint': `${KEY}\n`, '/run/secrets/sftp': 'hunter2\r\n' };
const readFile = (path: string): string => {
  const content = files[path];
  if (content === undefined) throw new Error(`no such file: ${path}`);
  return content;
};

describe('settings from files', () => {
  test('a secret and the host key come from the files that NAME_FILE names, without the end of the line', () => {
    const env = withSecretFiles(
      { SFTP_PASSWORD_FILE: '/run/secrets/sftp', SFTP_HOST_KEY_FILE: '/keys/fingerprint' },
      readFile,
    );
    expect(readSettings(env, ['SFTP_PASSWORD', 'SFTP_HOST_KEY'])).toEqual({
      SFTP_PASSWORD: 'hunter2',
      SFTP_HOST_KEY: KEY,
    });
  });

  test('a setting that is neither does not', () => {
    expect(withSecretFiles({ SFTP_HOST_FILE: '/nowhere' }, readFile)).not.toHaveProperty('SFTP_HOST');
  });

  test('a file that cannot be read and a setting given twice are both named', () => {
    const env = { SFTP_HOST_KEY_FILE: '/nowhere', SFTP_PASSWORD: 'x', SFTP_PASSWORD_FILE: '/run/secrets/sftp' };
    const attempt = (): unknown => withSecretFiles(env, readFile);
    expect(attempt).toThrow(SettingsError);
    expect(attempt).toThrow(/SFTP_HOST_KEY_FILE names a file that cannot be read: \/nowhere/);
    expect(attempt).toThrow(/SFTP_PASSWORD and SFTP_PASSWORD_FILE are both set/);
  });
});
