import { expect, test } from 'vitest';
import { FAILURES_ALLOWED, LoginLimit, WINDOW_MS } from './login-limit.ts';

function failOften(limit: LoginLimit, address: string, times = FAILURES_ALLOWED): void {
  for (let i = 0; i < times; i++) limit.failed(address);
}

test('an address may fail ten times, and then waits until 15 minutes after the first time', () => {
  let now = 0;
  const limit = new LoginLimit(() => now);
  failOften(limit, '192.0.2.1', FAILURES_ALLOWED - 1);
  now = 60_000;
  expect(limit.waitMs('192.0.2.1')).toBe(0);
  limit.failed('192.0.2.1');
  expect(limit.waitMs('192.0.2.1')).toBe(WINDOW_MS - 60_000);
  now = WINDOW_MS - 1;
  expect(limit.waitMs('192.0.2.1')).toBe(1);
  now = WINDOW_MS;
  expect(limit.waitMs('192.0.2.1')).toBe(0);
  limit.failed('192.0.2.1');
  expect(limit.waitMs('192.0.2.1')).toBe(0);
});

test('addresses do not hold each other back', () => {
  const limit = new LoginLimit(() => 0);
  failOften(limit, '192.0.2.1');
  expect(limit.waitMs('192.0.2.2')).toBe(0);
});

test.each([
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', true],
  ['2001:db8:1:2::1', '2001:0DB8:0001:0002::', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['2001:db8::1', '2001:db8:0:0:5::', true],
  ['::1', '::2', true],
  ['::1', '0:0:0:1::1', false],
  ['fe80::1%eth0', 'fe80::2', true],
])('%s and %s are of one network: %s', (first, second, same) => {
  const limit = new LoginLimit(() => 0);
  failOften(limit, first);
  expect(limit.waitMs(second) > 0).toBe(same);
});

test('of very many addresses the ones that failed longest ago are forgotten', () => {
  const limit = new LoginLimit(() => 0);
  failOften(limit, 'a');
  for (let i = 0; i < 9_999; i++) limit.failed(`b${i}`);
  expect(limit.waitMs('a')).toBeGreaterThan(0);
  limit.failed('c');
  expect(limit.waitMs('a')).toBe(0);
});
