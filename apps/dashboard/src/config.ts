import { readSettings, SettingsError, type Env, type Settings } from '@cdr/core/settings';
import { REDIS_ENV, redisFrom } from '@cdr/queue/redis-env';
import type { RedisSettings } from '@cdr/queue/redis-settings';

const LOGIN_ENV = [
  'DASHBOARD_USER',
  'DASHBOARD_PASSWORD',
  'DASHBOARD_READONLY_USER',
  'DASHBOARD_READONLY_PASSWORD',
] as const;
const NAMES = [
  ...REDIS_ENV,
  ...LOGIN_ENV,
  'DASHBOARD_PORT',
  'DASHBOARD_PROXIES',
  'DASHBOARD_WATCH',
  'METRICS_PORT',
  'LOG_LEVEL',
] as const;

export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface DashboardConfig {
  readonly redis: RedisSettings;
  readonly port: number;
  /** Without a password, one is made up at the start. */
  readonly operator: { readonly user: string; readonly password: string | undefined };
  readonly viewer: Login | undefined;
  /** How many reverse proxies are in front. */
  readonly proxies: number;
  /** Apps whose /readyz is shown. */
  readonly watch: readonly WatchedApp[];
  readonly metricsPort: number;
  readonly logLevel: string;
}

export interface WatchedApp {
  readonly name: string;
  /** Without a slash at the end. */
  readonly url: string;
}

/**
 * From an environment to the dashboard's configuration; `readFile` reads certificates. Throws SettingsError with
 * everything that is wrong.
 */
export function dashboardConfig(env: Env, readFile: (path: string) => string): DashboardConfig {
  const settings = readSettings(env, NAMES, loginProblems);
  const { DASHBOARD_READONLY_USER: viewer, DASHBOARD_READONLY_PASSWORD: viewerPassword } = settings;
  return Object.freeze({
    redis: redisFrom(settings, (path) => {
      try {
        return readFile(path);
      } catch {
        throw new SettingsError([`a file that the settings name cannot be read: ${path}`]);
      }
    }),
    port: settings.DASHBOARD_PORT,
    operator: { user: settings.DASHBOARD_USER, password: settings.DASHBOARD_PASSWORD },
    viewer: viewer && viewerPassword ? { user: viewer, password: viewerPassword } : undefined,
    proxies: settings.DASHBOARD_PROXIES,
    watch: settings.DASHBOARD_WATCH ?? [],
    metricsPort: settings.METRICS_PORT,
    logLevel: settings.LOG_LEVEL,
  });
}

function loginProblems(settings: Settings<(typeof LOGIN_ENV)[number]>): string[] {
  const { DASHBOARD_USER: user, DASHBOARD_READONLY_USER: viewer, DASHBOARD_READONLY_PASSWORD: password } = settings;
  if (viewer && !password) return ['DASHBOARD_READONLY_PASSWORD is missing: DASHBOARD_READONLY_USER is set'];
  if (password && !viewer) return ['DASHBOARD_READONLY_USER is missing: DASHBOARD_READONLY_PASSWORD is set'];
  return viewer === user ? ['DASHBOARD_READONLY_USER must be another name than DASHBOARD_USER'] : [];
}
