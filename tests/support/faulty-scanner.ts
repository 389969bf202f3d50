import { readFileSync } from 'node:fs';
import { createLogger } from '@cdr/telemetry/logger';
import { scannerConfig } from '../../apps/scanner/src/config.ts';
import { SCAN_POINTS } from '../../apps/scanner/src/scan-points.ts';
import { ScannerProcess } from '../../apps/scanner/src/scanner-process.ts';
import { faultFrom } from './fault.ts';

// The scanner's main for crash tests: the real scanner, and something that happens at a point of a scan; see fault.ts.
const act = faultFrom(process.env['FAULT'], SCAN_POINTS);
const config = scannerConfig(process.env, (path: string): string => readFileSync(path, 'utf8'));
const scanner = new ScannerProcess(
  config,
  createLogger({ app: 'scanner', level: config.logLevel, pretty: false }),
  act,
);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => scanner.stop(signal));
await scanner.run();
process.exit(0);
