import { readFileSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@cdr/telemetry/logger';
import { ATTEMPT_POINTS, type AttemptPoint } from '../../apps/worker/src/attempt-points.ts';
import { workerConfig } from '../../apps/worker/src/config.ts';
import { WorkerProcess } from '../../apps/worker/src/worker-process.ts';

// The worker's main for crash tests: the real worker, and something that happens at a point of an attempt.
//   FAULT=POINT:ACTION[:N]   ACTION kill | freeze | fail at the N-th time that the point is announced (1),
//                            or slow: 300 ms at every announcement from then on
// The line "FAULT POINT" goes to stdout, synchronously, before the action.
const [point, action, nth = '1'] = (process.env['FAULT'] ?? '').split(':');
if (point && !ATTEMPT_POINTS.includes(point as AttemptPoint)) throw new Error(`no point is called ${point}`);
let seen = 0;

const readFile = (path: string): string => readFileSync(path, 'utf8');
const config = workerConfig(process.env, `${hostname()}-${process.pid}`, readFile);
const worker = new WorkerProcess(
  config,
  createLogger({ app: 'worker', level: config.logLevel, pretty: false }),
  async (at) => {
    if (at !== point || ++seen < Number(nth)) return;
    if (action === 'slow') await sleep(300);
    if (seen > Number(nth)) return;
    writeSync(1, `${JSON.stringify({ fault: point, action })}\n`);
    if (action === 'kill') process.kill(process.pid, 'SIGKILL');
    else if (action === 'freeze') process.kill(process.pid, 'SIGSTOP');
    else if (action === 'fail') throw new Error(`fault injected at ${point}`);
    if (action === 'kill') await new Promise(() => undefined);
  },
);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => worker.stop(signal));
await worker.run();
process.exit(0);
