import { readSettings, SettingsError, type Env } from '@cdr/core/settings';
import { expect, test } from 'vitest';
import { SFTP_ENV, sftpFrom } from './sftp-env.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBKs7MaNG9l4ALR2Q4jWwZ0kGFyWFDeDVQw7cvRWVjNp';
const FINGERPRINT = 'SHA256:XJoEmARQR8Y2fBCxQfhGBVZEp6M3NVLaOVp87YoUU3g';

const from = (env: Env, knownHosts = '') =>
  sftpFrom(readSettings(env, SFTP_ENV), (path) => (path === 'known_hosts' ? knownHosts : `<${path}>`));

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

test('pinned fingerprints, one or several, or nothing checked when that is said', () => {
  expect(from({ SFTP_HOST_KEY: FINGERPRINT }).hostKey).toEqual([FINGERPRINT]);
  expect(from({ SFTP_HOST_KEY: `${FINGERPRINT}, ${FINGERPRINT}` }).hostKey).toEqual([FINGERPRINT, FINGERPRINT]);
  expect(from({ SFTP_HOST_KEY: 'any' }).hostKey).toBe('any');
});

test('a known_hosts file stands for SFTP_HOST_KEY, and asks the server for the kind of key it has', () => {
  const env = { SFTP_HOST: 'files', SFTP_PORT: '2022', SFTP_KNOWN_HOSTS_FILE: 'known_hosts' };
  expect(from(env, `[files]:2022 ${KEY}\n`)).toMatchObject({ hostKey: [FINGERPRINT], hostKeyTypes: ['ssh-ed25519'] });
});

test('neither of the two: the process must not start', () => {
  expect(problemsOf(() => from({}))).toEqual([
    expect.stringMatching(/^SFTP_HOST_KEY is missing: .*; or set SFTP_KNOWN_HOSTS_FILE$/) as string,
  ]);
});

test('both of them: which one counts is not guessed', () => {
  expect(problemsOf(() => from({ SFTP_HOST_KEY: 'any', SFTP_KNOWN_HOSTS_FILE: 'known_hosts' }))).toEqual([
    'SFTP_HOST_KEY and SFTP_KNOWN_HOSTS_FILE are both set: keep one',
  ]);
});

test.each([
  ['', 'has no key of [files]:2022. Add the line'],
  [`files ${KEY}`, 'has no key of [files]:2022. Add the line'],
  [
    `[files]:2022 ${KEY}\n@revoked * ${KEY}`,
    'has no key of [files]:2022; of its lines there 1 are revoked, and 0 hold',
  ],
  [`@cert-authority * ${KEY}`, 'has no key of [files]:2022; of its lines there 0 are revoked, and 1 hold'],
])('a known_hosts file that does not say: %j', (text, problem) => {
  const env = { SFTP_HOST: 'files', SFTP_PORT: '2022', SFTP_KNOWN_HOSTS_FILE: 'known_hosts' };
  const problems = problemsOf(() => from(env, text));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`SFTP_KNOWN_HOSTS_FILE ${problem}`);
  expect(problems[0]).toContain('ssh-keyscan -p 2022 files');
});

test('a private key wins over the password', () => {
  const env = { SFTP_HOST_KEY: 'any', SFTP_PRIVATE_KEY_FILE: 'key', SFTP_PRIVATE_KEY_PASSPHRASE: 'hush' };
  const settings = from(env);
  expect(settings).toMatchObject({ privateKey: '<key>', passphrase: 'hush' });
  expect(settings.password).toBeUndefined();
});
