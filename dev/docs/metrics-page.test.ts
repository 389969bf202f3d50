import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createRegistry } from '@cdr/telemetry/metrics';
import { expect, test } from 'vitest';
import { scannerMetrics } from '../../apps/scanner/src/scanner-metrics.ts';
import { workerMetrics } from '../../apps/worker/src/worker-metrics.ts';

const root = path.resolve(import.meta.dirname, '../..');
const SOURCES = {
  'apps/scanner/src/scanner-metrics.ts': scannerMetrics,
  'apps/worker/src/worker-metrics.ts': workerMetrics,
} as const;

/** `NAME | TYPE | LABELS`, one for each metric of the apps; those that every process has are Node's, and not listed. */
function registered(): string[] {
  const registry = createRegistry('docs');
  const everywhere = new Set(registry.getMetricsAsArray().map(({ name }) => name));
  for (const define of Object.values(SOURCES)) define(registry);
  return registry
    .getMetricsAsArray()
    .filter(({ name }) => !everywhere.has(name))
    .map((metric) => {
      const labels = 'labelNames' in metric && Array.isArray(metric.labelNames) ? (metric.labelNames as string[]) : [];
      return [metric.name, String(metric.type), labels.join(', ')].join(' | ');
    });
}

/** The same of docs/metrics.md: rows that begin with a metric's name. */
function documented(): string[] {
  const page = readFileSync(path.join(root, 'docs/metrics.md'), 'utf8');
  return page.split('\n').flatMap((line) => {
    const [, name, type, labels] = line.split('|').map((cell) => cell.trim().replaceAll('`', ''));
    return name && /^cdr_[a-z_]+$/.test(name) ? [[name, type, labels].join(' | ')] : [];
  });
}

test('docs/metrics.md lists every metric of the apps, with its type and labels, and no other', () => {
  expect(documented().sort()).toEqual(registered().sort());
});

test('no app defines metrics that this test does not know', () => {
  expect(globSync('apps/*/src/*-metrics.ts', { cwd: root }).sort()).toEqual(Object.keys(SOURCES).sort());
});
