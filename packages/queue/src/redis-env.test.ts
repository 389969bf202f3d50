import { readSettings, type Env } from '@cdr/core/settings';
import { expect, test } from 'vitest';
import { REDIS_ENV, redisFrom } from './redis-env.ts';

const from = (env: Env) => redisFrom(readSettings(env, REDIS_ENV), (path) => `<${path}>`);

test('without certificates the URL says everything', () => {
  expect(from({})).toEqual({ url: 'redis://redis:6379', prefix: 'cdr' });
  expect(from({ REDIS_URL: 'rediss://cdr:hush@redis:6380' }).tls).toBeUndefined();
});

test('certificates are read', () => {
  const env = {
    REDIS_URL: 'rediss://redis:6380',
    REDIS_TLS_CA_FILE: 'ca',
    REDIS_TLS_CERT_FILE: 'c',
    REDIS_TLS_KEY_FILE: 'k',
  };
  expect(from(env).tls).toEqual({ ca: ['<ca>'], cert: '<c>', key: '<k>' });
  expect(from({ REDIS_URL: 'rediss://redis:6380', REDIS_TLS_CA_FILE: 'ca' }).tls).toEqual({ ca: ['<ca>'] });
});

test.each<[Env, string]>([
  [{ REDIS_URL: 'redis://:hush@redis', REDIS_TLS_CA_FILE: 'ca' }, 'REDIS_URL does not begin with rediss://'],
  [{ REDIS_URL: 'rediss://:hush@redis', REDIS_TLS_CERT_FILE: 'c' }, 'REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE'],
  [{ REDIS_URL: 'rediss://:hush@redis', REDIS_TLS_KEY_FILE: 'k' }, 'REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE'],
])('%j does not go together', (env, problem) => {
  expect(() => from(env)).toThrow(problem);
  expect(() => from(env)).not.toThrow('hush');
});
