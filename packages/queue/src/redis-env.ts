import type { Settings } from '@cdr/core/settings';
import type { RedisSettings } from './redis-settings.ts';

/** The variables that say how to reach Redis. */
export const REDIS_ENV = ['REDIS_URL', 'REDIS_PREFIX'] as const;

export function redisFrom(env: Settings<(typeof REDIS_ENV)[number]>): RedisSettings {
  return { url: env.REDIS_URL, prefix: env.REDIS_PREFIX };
}
