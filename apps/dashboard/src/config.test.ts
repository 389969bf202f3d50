import { SettingsError } from '@cdr/core/settings';
import { expect, test } from 'vitest';
import { dashboardConfig } from './config.ts';

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    dashboardConfig(env, String);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}

test('nothing needs to be set', () => {
  expect(dashboardConfig({}, String)).toMatchObject({
    port: 3000,
    operator: { user: 'operator', password: undefined },
    viewer: undefined,
    proxies: 0,
    watch: [],
  });
});

test('both logins and the apps to watch', () => {
  const config = dashboardConfig(
    {
      DASHBOARD_USER: 'anna',
      DASHBOARD_PASSWORD: 'correct horse',
      DASHBOARD_READONLY_USER: 'guest',
      DASHBOARD_READONLY_PASSWORD: 'battery staple',
      DASHBOARD_WATCH: 'scanner=http://scanner:9464, worker=http://[::1]:9464/',
    },
    String,
  );
  expect(config.operator).toEqual({ user: 'anna', password: 'correct horse' });
  expect(config.viewer).toEqual({ user: 'guest', password: 'battery staple' });
  expect(config.watch).toEqual([
    { name: 'scanner', url: 'http://scanner:9464' },
    { name: 'worker', url: 'http://[::1]:9464' },
  ]);
});

test('everything that is wrong is named at once, and no password is shown', () => {
  const problems = problemsOf({
    REDIS_URL: 'http://nope',
    DASHBOARD_PORT: '70000',
    DASHBOARD_USER: 'a\u001b[31m',
    DASHBOARD_PASSWORD: 'short',
    DASHBOARD_PROXIES: 'many',
    DASHBOARD_WATCH: 'scanner:9464',
  });
  for (const name of [
    'REDIS_URL',
    'DASHBOARD_PORT',
    'DASHBOARD_USER',
    'DASHBOARD_PASSWORD',
    'DASHBOARD_PROXIES',
    'DASHBOARD_WATCH',
  ])
    expect(problems.filter((problem) => problem.startsWith(`${name} `))).toHaveLength(1);
  expect(problems).toHaveLength(6);
  expect(problems.join()).not.toContain('short');
});

test.each([
  [{ DASHBOARD_READONLY_USER: 'guest' }, 'DASHBOARD_READONLY_PASSWORD'],
  [{ DASHBOARD_READONLY_PASSWORD: 'battery staple' }, 'DASHBOARD_READONLY_USER'],
  [{ DASHBOARD_READONLY_USER: 'operator', DASHBOARD_READONLY_PASSWORD: 'battery staple' }, 'DASHBOARD_READONLY_USER'],
])('half a second login, or twice the same one, is refused', (env, name) => {
  expect(problemsOf(env)).toEqual([expect.stringContaining(name)]);
});
