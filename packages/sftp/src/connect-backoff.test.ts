import { CdrError } from '@cdr/core/errors';
import { expect, test } from 'vitest';
import { ConnectBackoff } from './connect-backoff.ts';

const away = new CdrError('sftp-unavailable', 'refused');
const login = new CdrError('sftp-auth', 'wrong password');

function clocked() {
  const clock = { now: 1_000 };
  return { clock, backoff: new ConnectBackoff(() => clock.now) };
}

test('an absent server is asked again after 200 ms, doubling to 2 s, and nothing stands in the way meanwhile', () => {
  const { clock, backoff } = clocked();
  expect(backoff.waitMs).toBe(0);
  const pauses = Array.from({ length: 6 }, () => {
    backoff.failed(away);
    const pause = backoff.waitMs;
    clock.now += pause;
    return pause;
  });
  expect(pauses).toEqual([200, 400, 800, 1_600, 2_000, 2_000]);
  expect(backoff.waitMs).toBe(0);
  expect(backoff.standingRefusal).toBeUndefined();
});

test('a refused login stands for its pause, 5 s doubling to 60 s', () => {
  const { clock, backoff } = clocked();
  const pauses = Array.from({ length: 6 }, () => {
    backoff.failed(login);
    expect(backoff.standingRefusal).toBe(login);
    const pause = backoff.waitMs;
    clock.now += pause;
    expect(backoff.standingRefusal).toBeUndefined();
    return pause;
  });
  expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
});

test('another kind of failure, or a success, begins anew', () => {
  const { backoff } = clocked();
  backoff.failed(login);
  backoff.failed(login);
  backoff.failed(away);
  expect(backoff.waitMs).toBe(200);
  backoff.succeeded();
  expect(backoff.waitMs).toBe(0);
  backoff.failed(away);
  expect(backoff.waitMs).toBe(200);
});
