import { expect, test } from 'vitest';
import { fingerprintOf, hostKeyAlgorithms, HostKeyCheck, keyTypeOf } from './host-key.ts';

// made with ssh-keygen -t ed25519; the fingerprint is what ssh-keygen -lf prints for it
const KEY = Buffer.from('AAAAC3NzaC1lZDI1NTE5AAAAIBKs7MaNG9l4ALR2Q4jWwZ0kGFyWFDeDVQw7cvRWVjNp', 'base64');
const FINGERPRINT = 'SHA256:XJoEmARQR8Y2fBCxQfhGBVZEp6M3NVLaOVp87YoUU3g';

test('a fingerprint is what ssh-keygen prints', () => {
  expect(fingerprintOf(KEY)).toBe(FINGERPRINT);
});

test('the key names its type; rubbish does not', () => {
  expect(keyTypeOf(KEY)).toBe('ssh-ed25519');
  expect(keyTypeOf(Buffer.from('ff'))).toBe('unknown');
  expect(keyTypeOf(Buffer.from('ffffffff0000', 'hex'))).toBe('unknown');
});

test('one of several pinned keys is enough', () => {
  const check = new HostKeyCheck(['SHA256:another', FINGERPRINT]);
  expect(check.verify(KEY)).toBe(true);
  expect(check.refused).toBeUndefined();
});

test('a key that is not pinned is refused and remembered', () => {
  const check = new HostKeyCheck(['SHA256:another']);
  // exactly false: ssh2 lets everything else in
  expect(check.verify(KEY)).toBe(false);
  expect(check.refused).toBe(`ssh-ed25519 ${FINGERPRINT}`);
});

test('no pinned key at all lets nobody in; "any" has to be said', () => {
  expect(new HostKeyCheck([]).verify(KEY)).toBe(false);
  expect(new HostKeyCheck('any').verify(KEY)).toBe(true);
});

test('a server is asked for the kinds of key that are known first, and for the others behind them', () => {
  const asked = hostKeyAlgorithms(['ssh-rsa', 'sk-ssh-ed25519@openssh.com']);
  expect(asked.slice(0, 4)).toEqual(['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa', 'ssh-ed25519']);
  expect(asked).toHaveLength(7);
});
