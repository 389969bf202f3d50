import { expect, test } from 'vitest';
import { Accounts } from './accounts.ts';

const accounts = new Accounts([
  { user: 'operator', password: 'correct horse', role: 'operator' },
  { user: 'guest', password: 'battery staple', role: 'viewer' },
]);

test('the right name and password give the visitor, without the password', () => {
  expect(accounts.check('operator', 'correct horse')).toEqual({ user: 'operator', role: 'operator' });
  expect(accounts.check('guest', 'battery staple')).toEqual({ user: 'guest', role: 'viewer' });
});

test.each([
  ['operator', 'battery staple'],
  ['guest', 'correct horse'],
  ['operator', ''],
  ['', 'correct horse'],
  ['', ''],
  ['operator', 'correct horse '],
  ['Operator', 'correct horse'],
  ['operatorcorrect', ' horse'],
])('%j with %j is nobody', (user, password) => {
  expect(accounts.check(user, password)).toBeUndefined();
});
