import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { tryLock, unlock, withLock } from './file-lock.ts';

test('a lock is held until it is given back', () => {
  const file = lockFile();
  expect(tryLock(file)).toBe(true);
  expect(tryLock(file)).toBe(false);
  unlock(file);
  expect(tryLock(file)).toBe(true);
});

test('the lock of a process that is gone is taken over', () => {
  const file = lockFile();
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  writeFileSync(file, `${pid}\n`);
  expect(tryLock(file)).toBe(true);
});

test('work under a lock runs one at a time, and gives it back when it fails', async () => {
  const file = lockFile();
  const order: string[] = [];
  const work = (name: string) =>
    withLock(file, 5_000, async () => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`${name} ends`);
      if (name === 'a') throw new Error('failed');
    });
  const [a, b] = await Promise.allSettled([work('a'), work('b')]);
  expect([a.status, b.status]).toEqual(['rejected', 'fulfilled']);
  expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

function lockFile(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'file-lock-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, 'lock');
}
