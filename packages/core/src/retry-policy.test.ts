import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, type ErrorCode } from './errors.ts';
import { backoffMs, dependencyOf, fateOf, MAX_ATTEMPTS, type Fate } from './retry-policy.ts';

/** Every code, so that adding one means deciding about it here, too. */
const EXPECTED: Record<ErrorCode, Fate | [Fate, 'sftp' | 'kafka' | 'redis']> = {
  'sftp-unavailable': ['hold', 'sftp'],
  'kafka-unavailable': ['hold', 'kafka'],
  'redis-unavailable': ['hold', 'redis'],
  'bad-config': ['hold', 'kafka'],
  'sftp-auth': ['hold', 'sftp'],
  'sftp-host-key': ['hold', 'sftp'],
  'sftp-directory': ['hold', 'sftp'],
  'kafka-auth': ['hold', 'kafka'],
  'kafka-authorization': ['hold', 'kafka'],
  'kafka-topic': ['hold', 'kafka'],
  'ledger-lost': ['hold', 'kafka'],
  'redis-auth': ['hold', 'redis'],
  'sftp-permission': 'fail',
  'bad-job-data': 'fail',
  'bad-header': 'fail',
  'bad-gzip': 'fail',
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

describe('the fate of a job', () => {
  it.each(ERROR_CODES)('%s', (code) => {
    const [fate, dependency] = [EXPECTED[code]].flat();
    expect(fateOf(code)).toBe(fate);
    expect(dependencyOf(code)).toBe(dependency);
  });

  it('is decided for every code, each listed once', () => {
    expect(ERROR_CODES.toSorted()).toEqual(Object.keys(EXPECTED).sort());
  });
});

describe('the pause before the next attempt', () => {
  it.each([
    [1, 2_500, 5_000],
    [2, 5_000, 10_000],
    [3, 10_000, 20_000],
    [4, 20_000, 40_000],
    [5, 30_000, 60_000],
    [MAX_ATTEMPTS, 30_000, 60_000],
    [0, 2_500, 5_000],
  ])('after %i attempts is from %i ms to %i ms', (attempts, least, most) => {
    expect(backoffMs(attempts, 0)).toBe(least);
    expect(backoffMs(attempts, 1 - Number.EPSILON)).toBe(most);
  });

  it('grows with the attempts up to a cap, and is never less than half of what it may be', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempts, random) => {
          const pause = backoffMs(attempts, random);
          expect(Number.isInteger(pause)).toBe(true);
          expect(pause).toBeGreaterThanOrEqual(2_500);
          expect(pause).toBeLessThanOrEqual(60_000);
          expect(backoffMs(attempts + 1, random)).toBeGreaterThanOrEqual(pause);
          expect(backoffMs(attempts, 0) * 2).toBe(backoffMs(attempts, 1));
        },
      ),
    );
  });
});
