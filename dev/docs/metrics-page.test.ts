import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createRegistry } from '@cdr/telemetry/metrics';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const sources = globSync('apps/*/src/*-metrics.ts', { cwd: root }).sort();
const apps = new Set(sources.map((source) => source.split(path.sep)[1]));

type Registry = ReturnType<typeof createRegistry>;
/** Each of these files exports one function, which defines an app's metrics. */
type MetricsModule = Readonly<Record<string, (registry: Registry) => unknown>>;

/** `NAME | TYPE | LABELS`, one for each metric of the apps; those that every process has are Node's, and not listed. */
async function registered(): Promise<string[]> {
  const registry = createRegistry('docs');
  const everywhere = new Set(registry.getMetricsAsArray().map(({ name }) => name));
  for (const source of sources) {
    const module = (await import(path.join(root, source))) as MetricsModule;
    for (const define of Object.values(module)) define(registry);
  }
  return registry
    .getMetricsAsArray()
    .filter(({ name }) => !everywhere.has(name))
    .map((metric) => {
      const labels = 'labelNames' in metric && Array.isArray(metric.labelNames) ? (metric.labelNames as string[]) : [];
      return [metric.name, String(metric.type), labels.join(', ')].join(' | ');
    });
}

/** The same of docs/metrics.md: rows that begin with nothing but a metric's name, of apps that define metrics. */
function documented(): string[] {
  const page = readFileSync(path.join(root, 'docs/metrics.md'), 'utf8');
  return page.split('\n').flatMap((line) => {
    const [, name, type, labels] = line.split('|').map((cell) => cell.trim().replaceAll('`', ''));
    const [, app] = /^cdr_([a-z]+)_[a-z_]+$/.exec(name ?? '') ?? [];
    return app && apps.has(app) ? [[name, type, labels].join(' | ')] : [];
  });
}

test('docs/metrics.md lists every metric of the apps, with its type and labels, and no other', async () => {
  expect(sources.length).toBeGreaterThan(1);
  expect(documented().sort()).toEqual((await registered()).sort());
});
