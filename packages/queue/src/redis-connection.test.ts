import { CdrError } from '@cdr/core/errors';
import { fateOf } from '@cdr/core/retry-policy';
import { describe, expect, it } from 'vitest';
import { openCommandConnection, reconnectDelayMs, redisCall, toRedisError } from './redis-connection.ts';

const named = (name: string, message: string, more: object = {}) =>
  Object.assign(new Error(message), { name, ...more });

describe('an error of Redis', () => {
  it.each<[Error, string]>([
    // answers of the server
    [named('ReplyError', 'WRONGPASS invalid username-password pair or user is disabled.'), 'redis-auth'],
    [named('ReplyError', 'NOAUTH Authentication required.'), 'redis-auth'],
    [named('ReplyError', "NOPERM this user has no permissions to run the 'eval' command"), 'redis-auth'],
    [named('ReplyError', "OOM command not allowed when used memory > 'maxmemory'."), 'redis-unavailable'],
    [named('ReplyError', 'LOADING Redis is loading the dataset in memory'), 'redis-unavailable'],
    [named('ReplyError', "READONLY You can't write against a read only replica."), 'redis-unavailable'],
    [named('ReplyError', 'MISCONF Redis is configured to save RDB snapshots'), 'redis-unavailable'],
    [named('ReplyError', 'BUSY Redis is busy running a script.'), 'redis-unavailable'],
    [
      named('ReplyError', "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
      'redis-unavailable',
    ],
    [named('ReplyError', 'CLUSTERDOWN Hash slot not served'), 'redis-unavailable'],
    [named('ReplyError', 'TRYAGAIN Multiple keys request during rehashing of slot'), 'redis-unavailable'],
    [named('ReplyError', 'UNBLOCKED force unblock from blocking operation'), 'redis-unavailable'],
    [named('ReplyError', "ERR unknown command 'X'"), 'unexpected'],
    [named('ReplyError', 'WRONGTYPE Operation against a key holding the wrong kind of value'), 'unexpected'],
    [named('ReplyError', 'ERR user_script:3: something about OOM'), 'unexpected'],
    // what ioredis and the system say
    [named('Error', 'connect ECONNREFUSED 127.0.0.1:6379', { code: 'ECONNREFUSED' }), 'redis-unavailable'],
    [named('Error', 'getaddrinfo ENOTFOUND redis', { code: 'ENOTFOUND' }), 'redis-unavailable'],
    [named('Error', 'read ECONNRESET', { code: 'ECONNRESET' }), 'redis-unavailable'],
    [
      named('Error', 'self-signed certificate in certificate chain', { code: 'SELF_SIGNED_CERT_IN_CHAIN' }),
      'redis-auth',
    ],
    [named('Error', 'alert', { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' }), 'redis-auth'],
    [named('Error', 'wrong version number', { code: 'ERR_SSL_WRONG_VERSION_NUMBER' }), 'redis-auth'],
    [named('Error', 'x', { code: 'ETIMEDOUT' }), 'redis-unavailable'],
    [named('AggregateError', ''), 'redis-unavailable'],
    [named('MaxRetriesPerRequestError', 'Reached the max retries per request limit'), 'redis-unavailable'],
    [named('Error', 'Connection is closed.'), 'redis-unavailable'],
    [named('Error', 'Command timed out'), 'redis-unavailable'],
    [named('Error', "Stream isn't writeable and enableOfflineQueue options is false"), 'redis-unavailable'],
    [named('Error', 'no connection yet'), 'redis-unavailable'],
    // somebody's mistake
    [named('TypeError', "Cannot read properties of undefined (reading 'x')"), 'unexpected'],
    [named('ZodError', 'bad', { code: 'invalid_type' }), 'unexpected'],
    [named('Error', 'x', { code: 42 }), 'unexpected'],
  ])('%s: %s', (thrown, code) => {
    const error = toRedisError('asking', thrown);
    expect(error.code).toBe(code);
    expect(error.cause).toBe(thrown);
    expect(error.message).toBe(`asking: ${thrown.message || thrown.name}`);
    // what an outage throws must never cost a job one of its attempts
    expect(fateOf(error.code)).toBe(code === 'unexpected' ? 'retry' : 'hold');
  });

  it('says where to look, and never the URL', () => {
    expect(toRedisError('x', named('ReplyError', 'NOAUTH')).hint).toContain('REDIS_URL');
    expect(toRedisError('x', named('Error', 'Connection is closed.')).hint).toContain('REDIS_URL');
    expect(toRedisError('x', new Error('what')).hint).toBeUndefined();
  });

  it('may be no error at all', () => {
    expect(toRedisError('asking', 'gone')).toMatchObject({ code: 'unexpected', message: 'asking: gone' });
  });

  it('stays what it is when it has a code already', () => {
    const error = new CdrError('shutdown', 'x');
    expect(toRedisError('asking', error)).toBe(error);
  });
});

describe('a call', () => {
  it('gives what it gives, and throws with a code', async () => {
    expect(await redisCall('asking', async () => 42)).toBe(42);
    const failing = redisCall('asking', () => Promise.reject(new Error('Connection is closed.')));
    await expect(failing).rejects.toMatchObject({
      code: 'redis-unavailable',
      message: 'asking: Connection is closed.',
    });
  });

  it('goes over a connection that queues nothing and gives up soon', () => {
    const redis = openCommandConnection({ url: 'redis://127.0.0.1:1' }, () => undefined);
    expect(redis.status).toBe('wait');
    expect(redis.options).toMatchObject({
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      commandTimeout: 5_000,
      retryStrategy: reconnectDelayMs,
    });
    redis.disconnect();
  });
});

it.each([
  [1, 200],
  [2, 400],
  [10, 2_000],
  [11, 2_000],
  [1_000_000, 2_000],
])('reconnects for the %i. time after %i ms', (attempt, delayMs) => {
  expect(reconnectDelayMs(attempt)).toBe(delayMs);
});
