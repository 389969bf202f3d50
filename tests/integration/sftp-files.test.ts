import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, symlinkSync } from 'node:fs';
import { openContent } from '@cdr/sftp/open-content';
import { openReadWindow } from '@cdr/sftp/read-window';
import { expect, test } from 'vitest';
import { errorOf, openPool } from '../support/sftp-test-pool.ts';
import { TestWorld } from '../support/test-world.ts';

test('lists 5,000 files once each, with size and time', async () => {
  const world = new TestWorld();
  const names = Array.from({ length: 5_000 }, (_, i) => `data_cdr_${String(i).padStart(4, '0')}.csv`);
  names.forEach((name, i) => world.files.write(name, 'x'.repeat(i % 7), { mtimeMs: 1_733_577_600_000 + i * 1_000 }));
  const entries = await openPool(world).withChannel((channel) => channel.list(world.files.remotePath));
  expect(entries).toHaveLength(5_000);
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  expect(entries).toEqual(
    names.map((name, i) => ({ name, size: i % 7, mtimeMs: 1_733_577_600_000 + i * 1_000, isRegularFile: true })),
  );
});

test('a listing tells files from everything else, and does not follow symbolic links', async () => {
  const world = new TestWorld();
  world.files.write('a.csv', 'abc');
  world.files.write('.hidden', '');
  world.files.write('ä b\n.csv', '');
  world.files.makeDirectory('dir');
  symlinkSync('a.csv', world.files.path('link.csv'));
  await openPool(world).withChannel(async (channel) => {
    const kinds = (await channel.list(world.files.remotePath)).map(({ name, isRegularFile }) => [name, isRegularFile]);
    expect(Object.fromEntries(kinds)).toEqual({
      'a.csv': true,
      '.hidden': true,
      'ä b\n.csv': true,
      dir: false,
      'link.csv': false,
    });
    expect(await channel.stat(`${world.files.remotePath}/a.csv`)).toMatchObject({ name: 'a.csv', size: 3 });
    expect(await channel.stat(`${world.files.remotePath}/link.csv`)).toMatchObject({ isRegularFile: false });
    world.files.makeDirectory('empty');
    expect(await channel.list(`${world.files.remotePath}/empty`)).toEqual([]);
  });
});

test('a pipe, a link or a directory in place of a file is not opened by whoever looks first', async () => {
  const world = new TestWorld();
  execFileSync('mkfifo', [world.files.path('pipe.csv')]);
  symlinkSync('file.csv', world.files.path('link.csv'));
  world.files.makeDirectory('directory.csv');
  world.files.write('file.csv', 'abc');
  const options = { gzipMaxRatio: 1, lookFirst: true };
  await openPool(world).withChannel(async (channel) => {
    for (const name of ['pipe.csv', 'link.csv', 'directory.csv', 'nothing.csv'])
      expect(await errorOf(openContent(channel, `${world.files.remotePath}/${name}`, options))).toMatchObject({
        code: 'file-vanished',
      });
    const reader = await openContent(channel, `${world.files.remotePath}/file.csv`, options);
    expect((await reader.next())?.toString()).toBe('abc');
    reader.close();
  });
});

test('what is missing or closed to us is an error that names it', async () => {
  const world = new TestWorld();
  await openPool(world).withChannel(async (channel) => {
    const missing = await errorOf(channel.list('/nowhere'));
    expect(missing).toMatchObject({
      code: 'sftp-directory',
      hint: expect.stringContaining('SFTP_REMOTE_PATH') as string,
    });
    expect(String(missing)).toContain('/nowhere');
    const closed = `${world.files.remotePath}/closed`;
    world.files.makeDirectory('closed');
    world.files.write('secret.csv', 'x');
    for (const name of ['closed', 'secret.csv']) chmodSync(world.files.path(name), 0);
    expect(await errorOf(channel.list(closed))).toMatchObject({ code: 'sftp-permission' });
    const denied = await errorOf(openReadWindow(channel, `${world.files.remotePath}/secret.csv`));
    expect(denied).toMatchObject({ code: 'sftp-permission', hint: expect.stringContaining('SFTP_USER') as string });
    expect(String(denied)).toContain('secret.csv');
  });
});

test('renames, replaces only when told to, deletes', async () => {
  const world = new TestWorld();
  const at = (name: string): string => `${world.files.remotePath}/${name}`;
  world.files.write('a', 'A');
  world.files.write('b', 'B');
  await openPool(world).withChannel(async (channel) => {
    expect(await errorOf(channel.rename(at('a'), at('b')))).toMatchObject({ code: 'unexpected' });
    expect(world.files.read('b')).toBe('B');
    await channel.rename(at('a'), at('b'), { replace: true });
    expect(world.files.names()).toEqual(['b']);
    expect(world.files.read('b')).toBe('A');
    await channel.rename(at('b'), at('c'));
    expect(await channel.exists(at('c'))).toBe(true);
    await channel.remove(at('c'));
    expect(await channel.exists(at('c'))).toBe(false);
    expect(await errorOf(channel.remove(at('c')))).toMatchObject({ code: 'file-vanished' });
    expect(await errorOf(channel.rename(at('c'), at('d')))).toMatchObject({ code: 'file-vanished' });
    expect(await errorOf(channel.stat(at('c')))).toMatchObject({ code: 'file-vanished' });
  });
});

test('makes directories; one that exists is content, a file in the way is not', async () => {
  const world = new TestWorld();
  const at = (name: string): string => `${world.files.remotePath}/${name}`;
  await openPool(world).withChannel(async (channel) => {
    await channel.mkdir(at('done'));
    await channel.mkdir(at('done'));
    expect((await channel.stat(at('done'))).isRegularFile).toBe(false);
    world.files.write('file', 'x');
    expect(await errorOf(channel.mkdir(at('file')))).toMatchObject({ code: 'unexpected' });
    expect(await errorOf(channel.mkdir(at('no/such/parent')))).toMatchObject({ code: 'file-vanished' });
  });
});

test('writes whole files, in pieces of any size, replacing what was there, and leaves nothing else behind', async () => {
  const world = new TestWorld();
  const at = (name: string): string => `${world.files.remotePath}/${name}`;
  const content = randomBytes(3_000_000);
  await openPool(world).withChannel(async (channel) => {
    await channel.writeFile(at('whole'), content);
    await channel.writeFile(
      at('pieces'),
      (async function* () {
        for (const [from, to] of [
          [0, 1],
          [1, 1],
          [1, 999_999],
          [999_999, 3_000_000],
        ])
          yield content.subarray(from, to);
      })(),
    );
    await channel.writeFile(at('empty'), Buffer.alloc(0));
    await channel.writeFile(at('empty'), Buffer.from('no more'));
    const failing = channel.writeFile(
      at('failing'),
      (async function* () {
        yield content;
        throw new Error('the source broke');
      })(),
    );
    await expect(failing).rejects.toThrow('the source broke');
  });
  expect(readFileSync(world.files.path('whole')).equals(content)).toBe(true);
  expect(readFileSync(world.files.path('pieces')).equals(content)).toBe(true);
  expect(world.files.read('empty')).toBe('no more');
  expect(world.files.names()).toEqual(['empty', 'pieces', 'whole']);
});
