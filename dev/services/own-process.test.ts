import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { OwnProcess, runningPid } from './own-process.ts';

test('a process is found again by its folder, killed and started anew', async () => {
  const process = sleeper();
  process.start();
  const first = process.pid;
  expect(first).toBeTypeOf('number');
  expect(() => process.start()).toThrow(/already runs/);

  // Any other process that knows the folder can do this.
  await new OwnProcess(process.options).kill();
  expect(process.pid).toBeUndefined();
  process.start();
  expect(process.pid).not.toBe(first);
  await process.stop();
  expect(process.pid).toBeUndefined();
});

test('a recorded id that belongs to somebody else by now is not ours to kill', () => {
  const dir = temporaryFolder();
  writeFileSync(path.join(dir, 'process.json'), JSON.stringify({ pid: process.pid }));
  expect(runningPid(dir)).toBeUndefined();
});

test('a folder whose name only begins like ours is another one', async () => {
  const sleeping = sleeper('sleeper-2');
  sleeping.start();
  onTestFinished(() => sleeping.kill());
  const other = sleeping.options.dir.replace(/-2$/, '');
  writeFileSync(`${other}.json`, '');
  expect(runningPid(other)).toBeUndefined();
  expect(runningPid(sleeping.options.dir)).toBe(sleeping.pid);
});

test('a program that ends at its start is reported with its last words', async () => {
  const dir = temporaryFolder();
  const script = 'echo no config; exit 3';
  const failing = new OwnProcess({ name: 'Thing', dir, command: '/bin/sh', args: ['-c', script, `${dir}/conf`] });
  failing.start();
  const notYet = () => Promise.reject(new Error('refused'));
  await expect(failing.waitUntilReady(notYet, 10_000)).rejects.toThrow(/Thing ended at its start[^]*no config/);
});

test('a program that never answers is reported at the deadline', async () => {
  const silent = sleeper();
  silent.start();
  onTestFinished(() => silent.kill());
  const notYet = () => Promise.reject(new Error('refused'));
  await expect(silent.waitUntilReady(notYet, 50)).rejects.toThrow(/did not answer within 50 ms/);
});

/** A program that does nothing and has its folder in its command line. */
function sleeper(name = 'sleeper'): OwnProcess {
  const dir = path.join(temporaryFolder(), name);
  const script = 'setTimeout(() => {}, 60_000)';
  return new OwnProcess({ name, dir, command: process.execPath, args: ['-e', script, path.join(dir, 'conf')] });
}

function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'own-process-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
