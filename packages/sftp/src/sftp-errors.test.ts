import { CdrError } from '@cdr/core/errors';
import { expect, test } from 'vitest';
import { toConnectError, toSftpError } from './sftp-errors.ts';
import type { SftpSettings } from './sftp-settings.ts';

const settings: SftpSettings = {
  host: 'sftp.example',
  port: 2022,
  user: 'cdr_data',
  password: 'hunter2',
  hostKey: ['SHA256:expected'],
  remotePath: '/upload',
};
const withCode = (message: string, code: number | string): Error => Object.assign(new Error(message), { code });
const withLevel = (message: string, level: string): Error => Object.assign(new Error(message), { level });
const failed = (error: unknown, more: { refusedHostKey?: string; loggingIn?: boolean } = {}): CdrError =>
  toConnectError(settings, { loggingIn: false, ...more, error });

test.each([
  [withCode('No such file', 2), 'file-vanished'],
  [withCode('Permission denied', 3), 'sftp-permission'],
  [withCode('Failure', 4), 'unexpected'],
  [withCode('Connection lost', 7), 'sftp-unavailable'],
  [new Error('No response from server'), 'sftp-unavailable'],
  [withCode('read ECONNRESET', 'ECONNRESET'), 'sftp-unavailable'],
  [withCode('rename: No SFTP connection available', 'ERR_NOT_CONNECTED'), 'sftp-unavailable'],
  [new TypeError('x is not a function'), 'unexpected'],
])('an operation that ends with %s', (error, code) => {
  const mapped = toSftpError('opening /upload/a.csv', error);
  expect(mapped).toMatchObject({ code, cause: error });
  expect(mapped.message).toContain('opening /upload/a.csv');
});

test('an error that has a code keeps it', () => {
  const error = new CdrError('shutdown', 'closed');
  expect(toSftpError('reading', error)).toBe(error);
  expect(failed(error)).toBe(error);
});

test.each([
  withCode('connect ECONNREFUSED 10.0.0.1:2022', 'ECONNREFUSED'),
  withCode('getaddrinfo ENOTFOUND sftp.example', 'ENOTFOUND'),
  withLevel('Connection lost before handshake', 'protocol'),
  withLevel('Keepalive timeout', 'client-timeout'),
])('not reached: %s', (error) => {
  const mapped = failed(error);
  expect(mapped).toMatchObject({ code: 'sftp-unavailable', hint: expect.stringContaining('SFTP_HOST') as string });
  expect(mapped.message).toBe(`cannot connect to the SFTP server sftp.example:2022: ${error.message}`);
});

test('several addresses that all fail are one error without a text of its own', () => {
  const error = new AggregateError([
    new Error('connect ECONNREFUSED ::1:22'),
    new Error('connect ECONNREFUSED 127.0.0.1:22'),
  ]);
  expect(failed(error).message).toContain('connect ECONNREFUSED ::1:22, connect ECONNREFUSED 127.0.0.1:22');
});

test('a refused login says which variables to look at, and no secret', () => {
  const error = withLevel('All configured authentication methods failed', 'client-authentication');
  const byPassword = failed(error, { loggingIn: true });
  expect(byPassword).toMatchObject({ code: 'sftp-auth', hint: 'Check SFTP_USER and SFTP_PASSWORD' });
  expect(`${byPassword.message} ${byPassword.hint}`).not.toContain('hunter2');
  const byKey = toConnectError({ ...settings, privateKey: 'KEY' }, { error, loggingIn: true });
  expect(byKey.hint).toContain('SFTP_PRIVATE_KEY_FILE');
  expect(failed(withCode('Too many authentication failures', 2), { loggingIn: true }).code).toBe('sftp-auth');
});

test('a foreign host key shows both fingerprints and says what to do', () => {
  const error = withLevel('Host denied (verification failed)', 'handshake');
  const mapped = failed(error, { refusedHostKey: 'ssh-rsa SHA256:presented' });
  expect(mapped.code).toBe('sftp-host-key');
  expect(mapped.message).toContain('ssh-rsa SHA256:presented');
  expect(mapped.message).toContain('SHA256:expected');
  expect(mapped.hint).toContain('SFTP_HOST_KEY');
});

test('a private key that cannot be read is a setting that is wrong', () => {
  expect(failed(new Error('Cannot parse privateKey: Unsupported key format'))).toMatchObject({
    code: 'sftp-auth',
    hint: expect.stringContaining('SFTP_PRIVATE_KEY_FILE') as string,
  });
});
