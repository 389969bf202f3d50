import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { createLogger } from '@cdr/telemetry/logger';
import { ATTEMPT_POINTS } from '../../apps/worker/src/attempt-points.ts';
import { workerConfig } from '../../apps/worker/src/config.ts';
import { WorkerProcess } from '../../apps/worker/src/worker-process.ts';
import { faultFrom } from './fault.ts';

// The worker's main for crash tests: the real worker, and something that happens at a point of an attempt; see fault.ts.
const act = faultFrom(process.env['FAULT'], ATTEMPT_POINTS);
const readFile = (path: string): string => readFileSync(path, 'utf8');
const config = workerConfig(process.env, `${hostname()}-${process.pid}`, readFile);
const worker = new WorkerProcess(config, createLogger({ app: 'worker', level: config.logLevel, pretty: false }), act);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => worker.stop(signal));
await worker.run();
process.exit(0);
