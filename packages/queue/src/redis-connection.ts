import { CdrError, type ErrorCode } from '@cdr/core/errors';
import { tlsTroubleOf, type TlsTrouble } from '@cdr/core/tls-trouble';
import { Redis } from 'ioredis';
import type { ConnectionOptions } from 'node:tls';
import type { RedisSettings } from './redis-settings.ts';

export type { Redis };

const COMMAND_TIMEOUT_MS = 5_000;
/**
 * A connection on which something was asked and nothing came back for so long is dead, though nobody has said so: a
 * router that forgot it, a server that vanished. Without this, TCP would go on hoping for a quarter of an hour.
 * More than BullMQ's longest blocking command takes (10 s).
 */
export const SILENCE_MS = 15_000;
const RECONNECT_AT_MOST_EVERY_MS = 2_000;

/** Pause before the n-th attempt to reconnect: a server that comes back is found within 2 s. */
export function reconnectDelayMs(attempt: number): number {
  return Math.min(attempt * 200, RECONNECT_AT_MOST_EVERY_MS);
}

/** What every connection of ours has in common, BullMQ's own included. */
export function connectionOptions({ tls }: Pick<RedisSettings, 'tls'>): {
  socketTimeout: number;
  retryStrategy: (attempt: number) => number;
  tls?: ConnectionOptions;
} {
  return { socketTimeout: SILENCE_MS, retryStrategy: reconnectDelayMs, ...(tls ? { tls } : {}) };
}

/**
 * A connection for commands that must answer or fail soon: nothing is queued while Redis is away. Reconnects by itself.
 * `onError` gets every connection error; throttle it.
 */
export function openCommandConnection(
  settings: Pick<RedisSettings, 'url' | 'tls'>,
  onError: (error: Error) => void,
): Redis {
  const redis = new Redis(settings.url, {
    ...connectionOptions(settings),
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
  });
  redis.on('error', onError);
  return redis;
}

/** Resolves when the connection can take commands. Throws CdrError `redis-unavailable` or `redis-auth`. */
export async function untilReady(redis: Redis, timeoutMs = COMMAND_TIMEOUT_MS): Promise<void> {
  if (redis.status === 'ready') return;
  // ioredis only says that the connection is closed, or nothing; why, it tells its listeners
  let reason: Error | undefined;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error('no connection yet')), timeoutMs);
  const onError = (error: Error): void => void (reason = error);
  redis.once('ready', resolve);
  redis.on('error', onError);
  try {
    if (redis.status === 'wait' || redis.status === 'end') redis.connect().then(resolve, reject);
    await promise;
  } catch (error) {
    throw toRedisError('connecting to Redis', reason ?? error);
  } finally {
    clearTimeout(timer);
    redis.off('ready', resolve);
    redis.off('error', onError);
  }
}

/** Resolves when Redis answers; throws CdrError, as `untilReady` does, with the reason when it cannot be reached. */
export async function probeRedis(redis: Redis): Promise<void> {
  await untilReady(redis);
  await redisCall('asking Redis', () => redis.ping());
}

/** Runs a call to Redis; what it throws becomes a CdrError with a code. */
export async function redisCall<T>(operation: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw toRedisError(operation, error);
  }
}

export function toRedisError(operation: string, thrown: unknown): CdrError {
  if (thrown instanceof CdrError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = redisErrorCode(error);
  return new CdrError(code, `${operation}: ${error.message || error.name}`, {
    hint: hintFor(code, error),
    cause: error,
  });
}

const TLS_HINTS: Readonly<Record<TlsTrouble, string>> = {
  untrusted:
    "The certificate of Redis is not trusted: REDIS_TLS_CA_FILE must be the authority that signed it, and REDIS_URL's host a name in it.",
  refused: 'Redis refuses our certificate: check REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE.',
  'no-tls': 'REDIS_URL says rediss://, and what answers there speaks no TLS: check the port.',
};

function hintFor(code: ErrorCode, error: Error): string | undefined {
  const trouble = 'code' in error ? tlsTroubleOf(error.code) : undefined;
  if (trouble) return TLS_HINTS[trouble];
  if (error.message.startsWith('NOPERM'))
    return 'Give the Redis user of REDIS_URL the rights that docs/operations.md lists; ACL LOG on the server says which one was missing.';
  if (code === 'redis-auth') return 'Check the user and password in REDIS_URL.';
  if (code !== 'redis-unavailable') return undefined;
  // a server that misses a certificate says so, and closes the connection so soon that its words may be lost
  const closed = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
  return `Check REDIS_URL and that Redis is up; with TLS it is rediss://, without redis://${closed ? ', and a server may want a certificate in REDIS_TLS_CERT_FILE' : ''}.`;
}

function redisErrorCode(error: Error): ErrorCode {
  if ('code' in error && tlsTroubleOf(error.code)) return 'redis-auth';
  if (/^(?:WRONGPASS|NOAUTH|NOPERM)/.test(error.message)) return 'redis-auth';
  // out of memory, loading its data, a replica, a script in its way: it will pass or be mended, like an outage
  if (/^(?:OOM|LOADING|READONLY|MISCONF|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|UNBLOCKED)/.test(error.message))
    return 'redis-unavailable';
  if ('code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code)) return 'redis-unavailable';
  if (error.name === 'MaxRetriesPerRequestError' || error.name === 'AggregateError') return 'redis-unavailable';
  return /connection|command timed out|stream isn't writeable|no connection yet/i.test(error.message)
    ? 'redis-unavailable'
    : 'unexpected';
}

/** The server's clock minus ours, in ms; the half of a round trip that is left in it is not. */
export async function redisClockOffsetMs(redis: Redis): Promise<number> {
  const askedAt = Date.now();
  const [seconds, micros] = await redisCall('asking Redis for its time', () => redis.time());
  const answeredAt = Date.now();
  return Number(seconds) * 1000 + Math.round(Number(micros) / 1000) - (askedAt + answeredAt) / 2;
}

/** What a server must be set to, or jobs and the projection are lost without anybody noticing. Empty when all is well. */
export async function redisWarnings(redis: Redis): Promise<string[]> {
  const info = await redisCall('reading the settings of Redis', () => redis.info('persistence', 'memory'));
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const warnings: string[] = [];
  if (field('aof_enabled') === '0') warnings.push('appendonly is no: a restart forgets jobs (set appendonly yes)');
  const policy = field('maxmemory_policy');
  if (policy && policy !== 'noeviction')
    warnings.push(`maxmemory-policy is ${policy}: Redis may drop jobs (set maxmemory-policy noeviction)`);
  return warnings;
}
