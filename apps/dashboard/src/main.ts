import { readFileSync } from 'node:fs';
import { describeError } from '@cdr/core/errors';
import { SettingsError, withSecretFiles } from '@cdr/core/settings';
import { createLogger } from '@cdr/telemetry/logger';
import { dashboardConfig } from './config.ts';
import { DashboardProcess } from './dashboard-process.ts';

const EXIT_BAD_SETTINGS = 2;

const readFile = (path: string): string => readFileSync(path, 'utf8');

try {
  const config = dashboardConfig(withSecretFiles(process.env, readFile), readFile);
  const log = createLogger({ app: 'dashboard', level: config.logLevel, pretty: process.stdout.isTTY });
  const dashboard = new DashboardProcess(config, log);
  // `on`, not `once`: a terminal and a package manager both pass Ctrl-C on, and the second one must not kill
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => dashboard.stop(signal));
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'unhandled rejection: leaving');
    process.exit(1);
  });
  await dashboard.run();
  process.exit(0);
} catch (error) {
  console.error(`cdr dashboard: ${error instanceof SettingsError ? error.message : describeError(error)}`);
  process.exit(error instanceof SettingsError ? EXIT_BAD_SETTINGS : 1);
}
