import type { ErrorCode } from './errors.ts';

/**
 * What an error means for the job. Shutdown is none of the three fates: the job goes back without spending an attempt.
 *
 * - `hold`: a dependency is away. Keep the job under its lock, wait until it is back, start again. No attempt spent.
 * - `again`: the attempt lost its ground (fenced, unknown outcome). Start again at once, from owning the job.
 * - `put-back`: the file is still changing. Later, no attempt spent.
 * - `fail`: nothing will change by itself. Failed now, with what to do.
 * - `retry`: nobody foresaw it. With backoff, an attempt spent.
 * - `hand-over`: we are shutting down.
 */
export type Fate = 'hold' | 'again' | 'put-back' | 'fail' | 'retry' | 'hand-over';

const FATES: Readonly<Record<ErrorCode, Fate>> = {
  'sftp-unavailable': 'hold',
  'kafka-unavailable': 'hold',
  'redis-unavailable': 'hold',
  'bad-config': 'hold',
  'sftp-auth': 'hold',
  'sftp-host-key': 'hold',
  'sftp-directory': 'hold',
  'kafka-auth': 'hold',
  'kafka-authorization': 'hold',
  'kafka-topic': 'hold',
  'ledger-lost': 'hold',
  'redis-auth': 'hold',
  'sftp-permission': 'fail',
  'bad-job-data': 'fail',
  'bad-header': 'fail',
  'bad-gzip': 'fail',
  // once it has waited for INCOMPLETE_AFTER_MS: until then the attempt puts it back
  'gzip-truncated': 'fail',
  'gzip-too-large': 'fail',
  'no-feed': 'fail',
  'file-vanished': 'fail',
  'too-many-rejects': 'fail',
  'bad-ledger-record': 'fail',
  'file-changed': 'put-back',
  fenced: 'again',
  'commit-unknown': 'again',
  'ledger-moved': 'again',
  shutdown: 'hand-over',
  unexpected: 'retry',
};

export function fateOf(code: ErrorCode): Fate {
  return FATES[code];
}

/** The dependency that a held error waits for. Settings that are wrong (auth, ACL) are waited for like an outage. */
export function dependencyOf(code: ErrorCode): 'sftp' | 'kafka' | 'redis' | undefined {
  if (fateOf(code) !== 'hold') return undefined;
  if (code.startsWith('sftp-')) return 'sftp';
  return code.startsWith('redis-') ? 'redis' : 'kafka';
}

export const MAX_ATTEMPTS = 8;
const FIRST_BACKOFF_MS = 5_000;
const MAX_BACKOFF_MS = 60_000;

/**
 * Pause before the next attempt after `attemptsMade` of them: exponential from 5 s, at most 60 s, and of that a random
 * part between half and all, so that many jobs do not come back at once. `random` is in [0, 1).
 */
export function backoffMs(attemptsMade: number, random: number): number {
  const full = Math.min(FIRST_BACKOFF_MS * 2 ** Math.max(0, attemptsMade - 1), MAX_BACKOFF_MS);
  return Math.round(full / 2 + (full / 2) * random);
}
