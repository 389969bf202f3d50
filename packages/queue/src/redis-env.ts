import { SettingsError, type Settings } from '@cdr/core/settings';
import type { RedisSettings } from './redis-settings.ts';

/** The variables that say how to reach Redis. */
export const REDIS_ENV = [
  'REDIS_URL',
  'REDIS_PREFIX',
  'REDIS_TLS_CA_FILE',
  'REDIS_TLS_CERT_FILE',
  'REDIS_TLS_KEY_FILE',
] as const;

/**
 * `readFile` reads certificates; what it throws is for the caller to report. Throws SettingsError for what only shows in
 * combination.
 */
export function redisFrom(
  env: Settings<(typeof REDIS_ENV)[number]>,
  readFile: (path: string) => string,
): RedisSettings {
  const { REDIS_URL: url, REDIS_PREFIX: prefix } = env;
  const { REDIS_TLS_CA_FILE: caFile, REDIS_TLS_CERT_FILE: certFile, REDIS_TLS_KEY_FILE: keyFile } = env;
  if (!caFile && !certFile && !keyFile) return { url, prefix };
  const problems: string[] = [];
  if (!url.startsWith('rediss://'))
    problems.push('REDIS_TLS_*_FILE is set but REDIS_URL does not begin with rediss://');
  if (Boolean(certFile) !== Boolean(keyFile))
    problems.push('REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE go together: set both or none');
  if (problems.length > 0) throw new SettingsError(problems);
  return {
    url,
    prefix,
    tls: {
      ...(caFile ? { ca: [readFile(caFile)] } : {}),
      ...(certFile && keyFile ? { cert: readFile(certFile), key: readFile(keyFile) } : {}),
    },
  };
}
