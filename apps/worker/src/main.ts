import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { describeError } from '@cdr/core/errors';
import { SettingsError, withSecretFiles } from '@cdr/core/settings';
import { createLogger } from '@cdr/telemetry/logger';
import { workerConfig } from './config.ts';
import { WorkerProcess } from './worker-process.ts';

const EXIT_BAD_SETTINGS = 2;

const readFile = (path: string): string => readFileSync(path, 'utf8');
const workerName = `${hostname()}-${process.pid}`;

try {
  const config = workerConfig(withSecretFiles(process.env, readFile), workerName, readFile);
  const log = createLogger({ app: 'worker', level: config.logLevel, pretty: process.stdout.isTTY });
  const worker = new WorkerProcess(config, log);
  // `on`, not `once`: a terminal and a package manager both pass Ctrl-C on, and the second one must not kill
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => worker.stop(signal));
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'unhandled rejection: leaving, so that another worker takes the files over');
    process.exit(1);
  });
  await worker.run();
  process.exit(0);
} catch (error) {
  console.error(`cdr worker: ${error instanceof SettingsError ? error.message : describeError(error)}`);
  process.exit(error instanceof SettingsError ? EXIT_BAD_SETTINGS : 1);
}
