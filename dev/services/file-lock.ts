import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Takes a lock that is a file with the holder's process id in it. A lock whose holder is gone is taken over.
 * @returns whether it was taken
 */
export function tryLock(file: string): boolean {
  mkdirSync(path.dirname(file), { recursive: true });
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, `${process.pid}\n`);
  try {
    if (linkOnce(mine, file)) return true;
    if (isLocked(file)) return false;
    rmSync(file, { force: true });
    return linkOnce(mine, file);
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Gives a lock back. */
export function unlock(file: string): void {
  rmSync(file, { force: true });
}

/** Runs `work` while holding the lock; waits up to `deadlineMs` for another holder to be done. */
export async function withLock<T>(file: string, deadlineMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  while (!tryLock(file)) {
    if (Date.now() > deadline) throw new Error(`Another process has held ${file} for ${deadlineMs} ms.`);
    await delay(50);
  }
  try {
    return await work();
  } finally {
    unlock(file);
  }
}

/** A link appears at once with its content, so that nobody ever reads a lock that does not name its holder yet. */
function linkOnce(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Whether a process that still lives holds the lock. */
export function isLocked(file: string): boolean {
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 0);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== 'ESRCH' && code !== 'ENOENT';
  }
}
