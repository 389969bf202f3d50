import { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { keepKeyObjects } from '@cdr/sftp/ssh2-keys';
import SftpClient from 'ssh2-sftp-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { pollUntil } from '../support/poll-until.ts';
import { errorOf, openPool, sftpSettings } from '../support/sftp-test-pool.ts';
import { TestWorld } from '../support/test-world.ts';

const WRONG_KEY = `SHA256:${'A'.repeat(43)}`;

describe('who we talk to', () => {
  test('the pinned host key lets us in, one of several is enough', async () => {
    const world = new TestWorld();
    const { hostKey } = sftpSettings(world);
    await openPool(world).probe();
    await openPool(world, { hostKey: [WRONG_KEY, ...hostKey] }).probe();
    await openPool(world, { hostKey: 'any' }).probe();
  });

  test('another host key: no login is tried, and both fingerprints are shown', async () => {
    const world = new TestWorld();
    const logged = newLinesOf(world.sshd.logFile);
    const pool = openPool(world, { hostKey: [WRONG_KEY] });
    const error = await errorOf(pool.acquire());
    expect(error).toMatchObject({ code: 'sftp-host-key', hint: expect.stringContaining('SFTP_HOST_KEY') as string });
    expect(String(error)).toContain(WRONG_KEY);
    expect(String(error)).toContain(world.env.SFTP_HOST_KEY);
    expect(pool.connectionCount).toBe(0);
    // sshd saw us leave before we were anybody
    const lines = await pollUntil('sshd to see the end', () => {
      const seen = logged();
      return /\[preauth\]/.test(seen) ? seen : undefined;
    });
    expect(lines).not.toMatch(/Accepted|Failed|session opened/);
  });
});

describe('who we are', () => {
  test('a wrong password is refused, and not tried again at once', async () => {
    const world = new TestWorld();
    let attempts = 0;
    const pool = openPool(world, { password: 'hunter2' }, { onConnectFailed: () => attempts++ });
    const error = await errorOf(pool.acquire());
    expect(error).toMatchObject({ code: 'sftp-auth', hint: 'Check SFTP_USER and SFTP_PASSWORD' });
    expect(JSON.stringify(error) + String(error)).not.toContain('hunter2');
    expect(await errorOf(pool.acquire())).toBe(error);
    expect(await errorOf(pool.probe())).toBe(error);
    expect(attempts).toBe(1);
  });

  test('a private key lets us in; one that is not a key is a setting that is wrong', async () => {
    const world = new TestWorld();
    const privateKey = readFileSync(world.sshd.privateKeyFile);
    await openPool(world, { privateKey, password: 'not used' }).probe();
    expect(await errorOf(openPool(world, { privateKey: 'rubbish' }).probe())).toMatchObject({ code: 'sftp-auth' });
  });
});

test('the keys of a connection are kept as key objects, new ones too', async () => {
  const { host, port, user, password } = sftpSettings(new TestWorld());
  const ignore = (): void => undefined;
  const { client } = new SftpClient('test', { error: ignore, end: ignore, close: ignore });
  onTestFinished(() => void client.end());
  const keys = (): unknown[] => {
    const { _protocol: protocol } = client as unknown as {
      _protocol: { _cipher: { _encKey: unknown }; _decipher: { _decipherKey: unknown } };
    };
    return [protocol._cipher._encKey, protocol._decipher._decipherKey];
  };
  let handshakes = 0;
  client.on('handshake', () => {
    keepKeyObjects(client);
    handshakes++;
  });
  const login = { host, port, username: user, ...(password === undefined ? {} : { password }) };
  client.connect({ ...login, hostVerifier: () => true });
  await once(client, 'ready');
  expect(keys()).toEqual([expect.any(KeyObject), expect.any(KeyObject)]);
  const before = keys();
  (client as unknown as { _protocol: { rekey: () => void } })._protocol.rekey();
  await pollUntil('new keys', () => (handshakes === 2 ? true : undefined));
  expect(keys()).toEqual([expect.any(KeyObject), expect.any(KeyObject)]);
  expect(keys()[0]).not.toBe(before[0]);
  // the server understands us, and we it
  const sftp = await promisify(client.sftp.bind(client))();
  expect(await promisify(sftp.realpath.bind(sftp))('.')).toBe('/');
});

describe('a server that is not there', () => {
  test.each([
    ['nobody listens', { host: '127.0.0.1', port: 1 }],
    ['on none of several addresses', { host: 'localhost', port: 1 }],
    ['the name is unknown', { host: 'nowhere.invalid' }],
  ])('%s', async (_name, change) => {
    const error = await errorOf(openPool(new TestWorld(), change).acquire());
    expect(error).toMatchObject({ code: 'sftp-unavailable', hint: expect.stringContaining('SFTP_HOST') as string });
    expect(String(error)).toMatch(/ECONNREFUSED|ENOTFOUND|EAI_AGAIN/);
  });

  test('it takes connections and says nothing', async () => {
    const port = await listen(() => undefined);
    const pool = openPool(new TestWorld(), { host: '127.0.0.1', port, readyTimeoutMs: 300 });
    const error = await errorOf(pool.acquire());
    expect(error).toMatchObject({ code: 'sftp-unavailable' });
    expect(String(error)).toContain('longer than 300 ms');
  });

  test('it closes connections before it says who it is, as sshd does when too many start', async () => {
    const port = await listen((socket) => socket.end('Exceeded MaxStartups\r\n'));
    const error = await errorOf(openPool(new TestWorld(), { host: '127.0.0.1', port }).acquire());
    expect(error).toMatchObject({ code: 'sftp-unavailable' });
  });

  test('closing the pool ends an attempt under way', async () => {
    const accepted = Promise.withResolvers<void>();
    const port = await listen(() => accepted.resolve());
    const pool = openPool(new TestWorld(), { host: '127.0.0.1', port });
    const acquiring = errorOf(pool.acquire());
    await accepted.promise;
    await pool.close();
    expect(await acquiring).toMatchObject({ code: 'shutdown' });
    expect(await errorOf(pool.acquire())).toMatchObject({ code: 'shutdown' });
    expect(await errorOf(pool.probe())).toMatchObject({ code: 'shutdown' });
  });
});

/** What was appended to a log since now. */
function newLinesOf(file: string): () => string {
  const before = readFileSync(file, 'utf8').length;
  return () => readFileSync(file, 'utf8').slice(before);
}

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
