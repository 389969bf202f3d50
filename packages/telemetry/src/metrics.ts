import { collectDefaultMetrics, Registry } from 'prom-client';

/**
 * The registry of one process, with Node's own figures (CPU, memory, event loop) under the prefix `cdr_`. Everything in
 * it carries the label `app`. What an app counts is defined in the app, under names that begin with `cdr_` too.
 */
export function createRegistry(app: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ app });
  collectDefaultMetrics({ register: registry, prefix: 'cdr_' });
  return registry;
}
