import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { CdrError } from '@cdr/core/errors';
import ssh2, { type Connection, type ServerChannel, type SFTPWrapper } from 'ssh2';
import { expect, onTestFinished, test } from 'vitest';
import { fingerprintOf } from './host-key.ts';
import { SftpPool } from './sftp-pool.ts';
import type { SftpSettings } from './sftp-settings.ts';

/** What the tests' server does that OpenSSH with its usual settings does not. */
interface Behaviour {
  /** Password by question and answer only, as with PAM; the number of questions. */
  readonly keyboardInteractive?: number;
  readonly wantsNewPassword?: boolean;
  /** Channels it gives on a connection. */
  readonly maxChannels?: number;
  /** Connections are dropped right after the login. */
  readonly dropsWhoeverComesIn?: boolean;
  /** Where the SFTP session should be there are bytes that are none of it. */
  readonly rubbish?: Buffer;
  /** Requests that are never answered. */
  readonly silentOn?: readonly ('REALPATH' | 'OPENDIR')[];
}

const PASSWORD = 'hunter2';
const HOST_KEY = ssh2.utils.generateKeyPairSync('ed25519');
const { STATUS_CODE } = ssh2.utils.sftp;

/** A small SFTP server in this process. */
async function serve(behaviour: Behaviour): Promise<{ settings: SftpSettings; connections: Set<Connection> }> {
  const connections = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [HOST_KEY.private] }, (client) => {
    connections.add(client);
    client.on('error', () => undefined);
    client.on('close', () => connections.delete(client));
    client.on('authentication', (context) => {
      const { keyboardInteractive: questions, wantsNewPassword } = behaviour;
      if (questions !== undefined) {
        if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
        const asked = Array.from({ length: questions }, (_, i) => ({ prompt: `Password ${i}: `, echo: false }));
        return context.prompt(asked, (answers) =>
          answers.length === questions && answers.every((answer) => answer === PASSWORD)
            ? context.accept()
            : context.reject(),
        );
      }
      if (context.method !== 'password') return context.reject(['password']);
      if (wantsNewPassword) return context.requestChange('Your password has expired', () => context.reject());
      if (context.password === PASSWORD) context.accept();
      else context.reject();
    });
    let channels = 0;
    client.on('ready', () => {
      if (behaviour.dropsWhoeverComesIn) return void client.end();
      client.on('session', (accept, reject) => {
        if (++channels > (behaviour.maxChannels ?? 10)) return void reject();
        const { rubbish } = behaviour;
        if (rubbish) accept().on('subsystem', (acceptChannel) => acceptChannel().write(rubbish));
        else accept().on('sftp', (acceptSftp) => answer(acceptSftp(), behaviour));
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const connection of connections) connection.end();
    server.close();
  });
  const key = ssh2.utils.parseKey(HOST_KEY.public);
  if (key instanceof Error) throw key;
  return {
    connections,
    settings: {
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      user: 'cdr_data',
      password: PASSWORD,
      hostKey: [fingerprintOf(key.getPublicSSH())],
      remotePath: '/upload',
    },
  };
}

function answer(sftp: SFTPWrapper | ServerChannel, { silentOn = [] }: Behaviour): void {
  const server = sftp as SFTPWrapper;
  if (!silentOn.includes('REALPATH'))
    server.on('REALPATH', (id, path) => server.name(id, [{ filename: path, longname: path, attrs: NO_ATTRIBUTES }]));
  else server.on('REALPATH', () => undefined);
  if (!silentOn.includes('OPENDIR')) server.on('OPENDIR', (id) => server.status(id, STATUS_CODE.NO_SUCH_FILE));
  else server.on('OPENDIR', () => undefined);
}

const NO_ATTRIBUTES = { mode: 0, uid: 0, gid: 0, size: 0, atime: 0, mtime: 0 };

function poolOn(settings: SftpSettings, change: Partial<SftpSettings> = {}): SftpPool {
  const pool = new SftpPool({ ...settings, ...change });
  onTestFinished(() => pool.close());
  return pool;
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test.each([1, 2])('the password answers %i keyboard-interactive question(s)', async (keyboardInteractive) => {
  const { settings } = await serve({ keyboardInteractive });
  await poolOn(settings).probe();
  expect(await errorOf(poolOn(settings, { password: 'wrong' }).probe())).toMatchObject({ code: 'sftp-auth' });
});

test('a password that has to be changed first is a refused login, at once', async () => {
  const { settings } = await serve({ wantsNewPassword: true });
  const error = await errorOf(poolOn(settings).probe());
  expect(error).toMatchObject({ code: 'sftp-auth', hint: expect.stringContaining('SFTP_PASSWORD') as string });
  expect(String(error)).toContain('new password');
});

test('a server that gives fewer channels on a connection gets more connections', async () => {
  const { settings, connections } = await serve({ maxChannels: 2 });
  const pool = poolOn(settings);
  const channels = await Promise.all(Array.from({ length: 5 }, () => pool.acquire()));
  expect(new Set(channels).size).toBe(5);
  expect(connections.size).toBe(3);
});

test('a server that gives no channel, or drops whoever comes in, is away: nobody connects for ever', async () => {
  for (const behaviour of [{ maxChannels: 0 }, { dropsWhoeverComesIn: true }]) {
    const { settings } = await serve(behaviour);
    const error = await errorOf(poolOn(settings).acquire());
    expect(error).toBeInstanceOf(CdrError);
    expect(error).toMatchObject({ code: 'sftp-unavailable' });
  }
});

test.each([
  ['a packet longer than any', Buffer.alloc(64, 0xff)],
  ['a packet of no kind that there is', Buffer.from('0000000900ffffffffffffffff', 'hex')],
  ['an answer to what was never asked', Buffer.from('0000000965000000070000000000', 'hex')],
  ['lines of text', Buffer.from('Welcome! This account is for the weather service only.\r\n'.repeat(20))],
])('a server that speaks no SFTP, but sends %s, is away', async (_, rubbish) => {
  const { settings } = await serve({ rubbish });
  const pool = poolOn(settings, { readyTimeoutMs: 1_000 });
  expect(await errorOf(pool.acquire())).toMatchObject({ code: 'sftp-unavailable' });
  expect(pool.connectionCount).toBe(0);
});

test('a server that is alive but answers nothing is given up after answerTimeoutMs, with all that waits', async () => {
  const { settings } = await serve({ silentOn: ['OPENDIR'] });
  const pool = poolOn(settings, { answerTimeoutMs: 100 });
  const [first, second] = await Promise.all([pool.acquire(), pool.acquire()]);
  const errors = await Promise.all([errorOf(first.list('/upload')), errorOf(second.list('/upload'))]);
  expect(errors[0]).toMatchObject({ code: 'sftp-unavailable' });
  expect(String(errors[0])).toContain('answers nothing for 100 ms');
  expect(errors[1]).toBe(errors[0]);
  expect(pool.connectionCount).toBe(0);
});
