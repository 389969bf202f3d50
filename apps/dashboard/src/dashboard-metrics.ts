import { Counter, Gauge, type Registry } from 'prom-client';

/** Everything that the dashboard counts. docs/metrics.md lists them. */
export function dashboardMetrics(registry: Registry) {
  const registers = [registry];
  return {
    logins: new Counter({
      name: 'cdr_dashboard_logins_total',
      help: 'Attempts to log in, by result: ok, wrong, limited (too many wrong ones from that address)',
      labelNames: ['result'] as const,
      registers,
    }),
    retries: new Counter({
      name: 'cdr_dashboard_retries_total',
      help: 'Failed jobs that operators retried',
      registers,
    }),
    refusals: new Counter({
      name: 'cdr_dashboard_refusals_total',
      help: 'Requests refused, by reason: foreign-origin, read-only, not-offered',
      labelNames: ['reason'] as const,
      registers,
    }),
    requests: new Counter({
      name: 'cdr_dashboard_requests_total',
      help: 'Requests answered, by HTTP status',
      labelNames: ['status'] as const,
      registers,
    }),
    dependencyUp: new Gauge({
      name: 'cdr_dashboard_dependency_up',
      help: '1 while the dashboard is connected to the dependency, 0 while it is not',
      labelNames: ['dependency'] as const,
      registers,
    }),
  };
}

export type DashboardMetrics = ReturnType<typeof dashboardMetrics>;
