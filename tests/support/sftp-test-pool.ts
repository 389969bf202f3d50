import { readFileSync } from 'node:fs';
import { readSettings } from '@cdr/core/settings';
import { SFTP_ENV, sftpFrom } from '@cdr/sftp/sftp-env';
import { SftpPool, type SftpPoolEvents } from '@cdr/sftp/sftp-pool';
import type { SftpSettings } from '@cdr/sftp/sftp-settings';
import { onTestFinished } from 'vitest';
import type { TestWorld } from './test-world.ts';

/** How a test's world is reached. */
export function sftpSettings(world: TestWorld): SftpSettings {
  return sftpFrom(readSettings(world.env, SFTP_ENV), (path) => readFileSync(path, 'utf8'));
}

/** A pool on the test's server, closed when the test is over. */
export function openPool(world: TestWorld, change: Partial<SftpSettings> = {}, events: SftpPoolEvents = {}): SftpPool {
  const pool = new SftpPool({ ...sftpSettings(world), ...change }, events);
  onTestFinished(() => pool.close());
  return pool;
}

/** The error a promise rejects with; undefined when it resolves. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return error;
  }
}
