import { expect, test } from 'vitest';
import { SESSION_LIFETIME_MS, Sessions } from './sessions.ts';

const operator = { user: 'operator', role: 'operator' } as const;

test('a session is found by its id until it is closed', () => {
  const sessions = new Sessions();
  const id = sessions.open(operator);
  expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(sessions.find(id)).toEqual(operator);
  sessions.close(id);
  expect(sessions.find(id)).toBeUndefined();
});

test('a session ends by itself, however often it is used', () => {
  let now = 0;
  const sessions = new Sessions(() => now);
  const id = sessions.open(operator);
  now = SESSION_LIFETIME_MS - 1;
  expect(sessions.find(id)).toEqual(operator);
  now = SESSION_LIFETIME_MS;
  expect(sessions.find(id)).toBeUndefined();
});

test('every session has an id of its own, and no other id is one', () => {
  const sessions = new Sessions();
  expect(sessions.open(operator)).not.toBe(sessions.open(operator));
  expect(sessions.find(undefined)).toBeUndefined();
  expect(sessions.find('')).toBeUndefined();
  expect(sessions.find('A'.repeat(43))).toBeUndefined();
});

test('of very many sessions the oldest are forgotten', () => {
  const sessions = new Sessions();
  const first = sessions.open(operator);
  const second = sessions.open(operator);
  for (let i = 0; i < 999; i++) sessions.open(operator);
  expect(sessions.find(first)).toBeUndefined();
  expect(sessions.find(second)).toEqual(operator);
});
