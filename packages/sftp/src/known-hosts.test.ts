import { expect, test } from 'vitest';
import { fingerprintOf } from './host-key.ts';
import { knownHostKeys } from './known-hosts.ts';

// made with ssh-keygen; the hashed lines by ssh-keygen -H
const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBKs7MaNG9l4ALR2Q4jWwZ0kGFyWFDeDVQw7cvRWVjNp';
const FINGERPRINT = 'SHA256:XJoEmARQR8Y2fBCxQfhGBVZEp6M3NVLaOVp87YoUU3g';
const OTHER = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

const found = (text: string, host = 'sftp.example', port = 22): string[] =>
  knownHostKeys(text, host, port).accepted.map(fingerprintOf);

test.each([
  ['a name', `sftp.example ${ED25519}`],
  ['a name in capitals', `SFTP.Example ${ED25519}`],
  ['one of several names', `10.0.0.1,sftp.example ${ED25519}`],
  ['a pattern', `*.example,!old.example ${ED25519}`],
  ['a comment behind, blanks in front and a line end of Windows', `  sftp.example\t${ED25519} made by me\r\n`],
])('%s fits', (_, line) => {
  expect(found(`# a comment\n\nelsewhere ${OTHER}\n${line}`)).toEqual([FINGERPRINT]);
});

test.each([
  ['another name', `sftp.example.org ${ED25519}`],
  ['a dot is a dot', `sftpxexample ${ED25519}`],
  ['a pattern that excludes it', `*.example,!sftp.example ${ED25519}`],
  ['another port', `[sftp.example]:2022 ${ED25519}`],
  ['a comment', `#sftp.example ${ED25519}`],
])('%s does not fit', (_, line) => {
  expect(found(line)).toEqual([]);
});

test('another port than 22 is part of the name, and port 22 does not stand for it', () => {
  expect(found(`[sftp.example]:2022 ${ED25519}`, 'sftp.example', 2022)).toEqual([FINGERPRINT]);
  expect(found(`[sftp.example]:* ${ED25519}`, 'sftp.example', 2022)).toEqual([FINGERPRINT]);
  expect(found(`sftp.example ${ED25519}`, 'sftp.example', 2022)).toEqual([]);
});

test('several keys of one server are all known', () => {
  expect(found(`sftp.example ${ED25519}\nsftp.example ${OTHER}`)).toHaveLength(2);
});

test('a revoked key is out, wherever the file accepts it', () => {
  const keys = knownHostKeys(
    `@revoked * ${ED25519}\nsftp.example ${ED25519}\nsftp.example ${OTHER}`,
    'sftp.example',
    22,
  );
  expect(keys.accepted.map(fingerprintOf)).not.toContain(FINGERPRINT);
  expect(keys.accepted).toHaveLength(1);
  expect(keys.revoked.map(fingerprintOf)).toEqual([FINGERPRINT]);
});

test('what holds no key to compare is counted and accepts nobody', () => {
  const text = `@cert-authority *.example ${ED25519}\nsftp.example ssh-rsa ${ED25519.slice(12)}\nsftp.example ssh-ed25519`;
  expect(knownHostKeys(text, 'sftp.example', 22)).toEqual({ accepted: [], revoked: [], unusable: 3 });
});
