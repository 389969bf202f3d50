import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readSettings } from '@cdr/core/settings';
import { SFTP_ENV, sftpFrom } from '@cdr/sftp/sftp-env';
import { SftpPool } from '@cdr/sftp/sftp-pool';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fingerprintOfFile, OtherSshd, scanHostKeys, withPassphrase } from '../support/other-sshd.ts';
import { errorOf, openPool } from '../support/sftp-test-pool.ts';
import { TestWorld } from '../support/test-world.ts';

const isRoot = process.getuid?.() === 0;

/** Connects as an app would that has these variables; whoever is not named is as in the world. */
async function connectWith(world: TestWorld, env: Record<string, string>): Promise<void> {
  const settings = readSettings({ ...world.env, ...env }, SFTP_ENV);
  const pool = new SftpPool(sftpFrom(settings, (file) => readFileSync(file, 'utf8')));
  onTestFinished(() => pool.close());
  await pool.withChannel((channel) => channel.list(world.files.remotePath));
}

function temporaryFile(name: string, content = ''): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'cdr-login-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  writeFileSync(path.join(dir, name), content, { mode: 0o600 });
  return path.join(dir, name);
}

describe('a known_hosts file', () => {
  test.each([
    ['with names', false],
    ['with hashed names', true],
  ])('%s, as ssh-keyscan makes it, lets us in', async (_, hashed) => {
    const world = new TestWorld();
    const lines = scanHostKeys(world.sshd.port, { hashed });
    expect(lines.includes('127.0.0.1')).toBe(!hashed);
    await connectWith(world, { SFTP_HOST_KEY: '', SFTP_KNOWN_HOSTS_FILE: temporaryFile('known_hosts', lines) });
  });

  test('of another server does not, and shows what the server has', async () => {
    const world = new TestWorld();
    const sshd = await OtherSshd.start(world, {});
    const others = scanHostKeys(sshd.port);
    const key = sshd.makeHostKey('another');
    await sshd.restart({ HostKey: key });
    const file = temporaryFile('known_hosts', others);
    const env = { SFTP_PORT: String(sshd.port), SFTP_HOST_KEY: '', SFTP_KNOWN_HOSTS_FILE: file };
    const error = await errorOf(connectWith(world, env));
    expect(error).toMatchObject({
      code: 'sftp-host-key',
      hint: expect.stringContaining('SFTP_KNOWN_HOSTS_FILE') as string,
    });
    expect(String(error)).toContain(fingerprintOfFile(key));
    expect(String(error)).toContain(world.env.SFTP_HOST_KEY);
    expect(sshd.log).not.toContain('Accepted');
  });

  test('with one of the several keys that a server has is asked for that one', async () => {
    const world = new TestWorld();
    const sshd = await OtherSshd.start(world, {});
    // the other one is what this client asks for when it does not know better
    await sshd.restart({ HostKey: [sshd.makeHostKey('ed25519'), sshd.makeHostKey('rsa', 'rsa')] });
    const lines = scanHostKeys(sshd.port, { types: 'rsa' });
    expect(lines).toContain('ssh-rsa');
    const file = temporaryFile('known_hosts', lines);
    await connectWith(world, { SFTP_PORT: String(sshd.port), SFTP_HOST_KEY: '', SFTP_KNOWN_HOSTS_FILE: file });
  });
});

describe('a login at OpenSSH', () => {
  test('by a private key with a passphrase; a wrong one is a setting that is wrong, and is not shown', async () => {
    const world = new TestWorld();
    const keyFile = withPassphrase(world.sshd.privateKeyFile, 'open sesame', temporaryFile('key'));
    const env = { SFTP_PASSWORD: 'not-used', SFTP_PRIVATE_KEY_FILE: keyFile };
    await connectWith(world, { ...env, SFTP_PRIVATE_KEY_PASSPHRASE: 'open sesame' });
    for (const passphrase of ['close sesame', '']) {
      const error = await errorOf(connectWith(world, { ...env, SFTP_PRIVATE_KEY_PASSPHRASE: passphrase }));
      expect(error).toMatchObject({
        code: 'sftp-auth',
        hint: expect.stringContaining('SFTP_PRIVATE_KEY_PASSPHRASE') as string,
      });
      expect(String(error)).not.toContain('sesame');
    }
  });

  test('by a private key that it does not know is refused', async () => {
    const world = new TestWorld();
    const sshd = await OtherSshd.start(world, {});
    const env = { SFTP_PORT: String(sshd.port), SFTP_PRIVATE_KEY_FILE: sshd.makeHostKey('stranger') };
    const error = await errorOf(connectWith(world, env));
    expect(error).toMatchObject({
      code: 'sftp-auth',
      hint: expect.stringContaining('SFTP_PRIVATE_KEY_FILE, and that the server has the public key') as string,
    });
  });

  // PAM reads the passwords of the machine's users, which only root can set for a user of its own
  test.skipIf(!isRoot)('by questions that PAM asks; a wrong answer is refused', async () => {
    const world = new TestWorld();
    const settings = { UsePAM: 'yes', KbdInteractiveAuthentication: 'yes', PasswordAuthentication: 'no' };
    const sshd = await OtherSshd.start(world, settings);
    const env = { SFTP_PORT: String(sshd.port) };
    await connectWith(world, env);
    expect(sshd.log).toContain('Accepted keyboard-interactive/pam');
    const error = await errorOf(connectWith(world, { ...env, SFTP_PASSWORD: 'hunter2-wrong' }));
    expect(error).toMatchObject({ code: 'sftp-auth', hint: 'Check SFTP_USER and SFTP_PASSWORD' });
    expect(JSON.stringify(error) + String(error)).not.toContain('hunter2');
  });
});

describe('a server with limits', () => {
  test('that allows two sessions on a connection is given more connections', async () => {
    const world = new TestWorld();
    world.files.write('a.csv', 'x\n');
    const sshd = await OtherSshd.start(world, { MaxSessions: '2' });
    const pool = openPool(world, { port: sshd.port });
    const channels = await Promise.all(Array.from({ length: 5 }, () => pool.acquire()));
    expect(new Set(channels).size).toBe(5);
    expect(pool.connectionCount).toBe(3);
    const listings = await Promise.all(channels.map((channel) => channel.list(world.files.remotePath)));
    expect(listings.map((entries) => entries.length)).toEqual([1, 1, 1, 1, 1]);
  });

  test('that allows no session is away, and is not asked without end', async () => {
    const world = new TestWorld();
    const sshd = await OtherSshd.start(world, { MaxSessions: '0' });
    const error = await errorOf(openPool(world, { port: sshd.port }).acquire());
    expect(error).toMatchObject({ code: 'sftp-unavailable' });
  });
});

describe('a server that sends rubbish', () => {
  test.each([
    ['from the first byte on', ''],
    ['behind a banner', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ])('%s is away, soon, and does no harm', async (_, banner) => {
    const server = createServer((socket: Socket) => {
      socket.on('error', () => undefined);
      socket.write(Buffer.concat([Buffer.from(banner), randomBytes(200_000)]));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const pool = openPool(new TestWorld(), { host: '127.0.0.1', port, readyTimeoutMs: 2_000 });
    const error = await errorOf(pool.acquire());
    expect(error).toMatchObject({ code: 'sftp-unavailable', hint: expect.stringContaining('SFTP_HOST') as string });
    expect(pool.connectionCount).toBe(0);
  });
});
