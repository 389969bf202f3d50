import { expect, test } from 'vitest';
import { LogThrottle } from './log-throttle.ts';

test('writes the first line of a key at once, then one a minute with the count of those left out', () => {
  let now = 0;
  const throttle = new LogThrottle({ now: () => now });
  const written: number[] = [];
  const say = (): void => throttle.run('redis', (suppressed) => written.push(suppressed));
  say();
  expect(written).toEqual([0]);
  now = 59_999;
  say();
  say();
  expect(written).toEqual([0]);
  now = 60_000;
  say();
  expect(written).toEqual([0, 2]);
  now = 120_000;
  say();
  expect(written).toEqual([0, 2, 0]);
});

test('keys do not hold each other back', () => {
  const throttle = new LogThrottle({ now: () => 0 });
  const written: string[] = [];
  for (const key of ['sftp', 'kafka', 'sftp']) throttle.run(key, () => written.push(key));
  expect(written).toEqual(['sftp', 'kafka']);
});

test('of very many keys the ones that are longest without a line are forgotten', () => {
  const throttle = new LogThrottle({ now: () => 0 });
  let written = 0;
  const say = (key: string): void => throttle.run(key, () => written++);
  for (let i = 0; i < 1_001; i++) say(`key ${i}`);
  expect(written).toBe(1_001);
  say('key 1000');
  expect(written).toBe(1_001);
  say('key 0');
  expect(written).toBe(1_002);
});
