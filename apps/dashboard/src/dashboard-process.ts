import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { CdrError, describeError } from '@cdr/core/errors';
import { AuditStream } from '@cdr/queue/audit-stream';
import { IngestQueue } from '@cdr/queue/ingest-queue';
import { LedgerProjection } from '@cdr/queue/ledger-projection';
import { openCommandConnection, redisCall, type Redis } from '@cdr/queue/redis-connection';
import { ScanLease } from '@cdr/queue/scan-lease';
import { startHealthServer, type Readiness } from '@cdr/telemetry/health-server';
import { killSelf } from '@cdr/telemetry/kill-self';
import { LogThrottle } from '@cdr/telemetry/log-throttle';
import type { Logger } from '@cdr/telemetry/logger';
import { createRegistry } from '@cdr/telemetry/metrics';
import { Accounts, type Account } from './accounts.ts';
import { AuditTrail } from './audit-trail.ts';
import type { DashboardConfig } from './config.ts';
import { createDashboardApp } from './dashboard-app.ts';
import { dashboardMetrics } from './dashboard-metrics.ts';
import { LedgerCounter } from './ledger-summary.ts';
import { LoginLimit } from './login-limit.ts';
import { Sessions } from './sessions.ts';
import { WatchedApps } from './watched-apps.ts';

const LEAVE_WITHIN_MS = 5_000;
/** BullMQ's close waits for a Redis that is away. */
const CLOSE_WITHIN_MS = 2_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** A dashboard: its connections, its server, and how it starts and leaves. */
export class DashboardProcess {
  private readonly config: DashboardConfig;
  private readonly log: Logger;
  private readonly stopping = new AbortController();

  constructor(config: DashboardConfig, log: Logger) {
    this.config = config;
    this.log = log;
  }

  /** Asks the dashboard to leave; `run` resolves when it has. */
  stop(why: string): void {
    if (this.stopping.signal.aborted) return;
    this.log.info({ why }, 'dashboard stopping');
    setTimeout(killSelf, LEAVE_WITHIN_MS).unref();
    this.stopping.abort();
  }

  /** Serves until `stop`, with or without Redis. Throws CdrError `bad-config` when a port cannot be had. */
  async run(): Promise<void> {
    const { config, log } = this;
    const throttle = new LogThrottle();
    const onRedisError = (error: Error): void =>
      throttle.run(`redis ${error.message}`, (suppressed) =>
        log.warn({ problem: error.message, suppressed }, 'Redis connection'),
      );

    const registry = createRegistry('dashboard');
    const metrics = dashboardMetrics(registry);
    const redis = openCommandConnection(config.redis, onRedisError);
    metrics.dependencyUp.set({ dependency: 'redis' }, 0);
    redis.on('ready', () => metrics.dependencyUp.set({ dependency: 'redis' }, 1));
    redis.on('close', () => metrics.dependencyUp.set({ dependency: 'redis' }, 0));
    // it goes on trying by itself; the first failure is one of many
    redis.connect().catch(() => undefined);
    const queue = new IngestQueue(config.redis, redis, onRedisError);
    const audit = new AuditTrail(new AuditStream(redis, config.redis.prefix), log);

    const health = await startHealthServer({
      port: config.metricsPort,
      registry,
      live: () => ({ ok: true }),
      ready: () => redisReadiness(redis),
    });
    log.info({ port: health.port }, 'dashboard starting');

    const app = createDashboardApp({
      redis,
      queue,
      accounts: new Accounts(this.accounts()),
      sessions: new Sessions(),
      limit: new LoginLimit(),
      overview: {
        queue,
        lease: new ScanLease(redis, config.redis, 0),
        ledger: new LedgerCounter(new LedgerProjection(redis, config.redis)),
        apps: new WatchedApps(config.watch),
      },
      audit,
      metrics,
      log,
      proxies: config.proxies,
    });
    const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }, app);
    try {
      const port = await listen(server, config.port);
      log.info({ dashboardPort: port }, `dashboard on http://localhost:${port}`);
      if (!this.stopping.signal.aborted) await once(this.stopping.signal, 'abort');
    } finally {
      server.close();
      server.closeAllConnections();
      await Promise.race([Promise.allSettled([queue.close(), health.close()]), afterCloseDeadline()]);
      redis.disconnect();
    }
    log.info('dashboard stopped');
  }

  /** Without a password in the settings nobody gets in but who reads this process's log. */
  private accounts(): Account[] {
    const { operator, viewer } = this.config;
    const password = operator.password ?? randomBytes(12).toString('base64url');
    if (operator.password === undefined)
      this.log.warn(
        { user: operator.user },
        `DASHBOARD_PASSWORD is not set: until the next start, "${operator.user}" logs in with ${password}`,
      );
    return [
      { user: operator.user, password, role: 'operator' },
      ...(viewer ? [{ ...viewer, role: 'viewer' as const }] : []),
    ];
  }
}

async function redisReadiness(redis: Redis): Promise<Readiness> {
  try {
    await redisCall('asking Redis', () => redis.ping());
    return { redis: { ready: true } };
  } catch (error) {
    return { redis: { ready: false, detail: describeError(error) } };
  }
}

/** The port that is bound. */
async function listen(server: Server, port: number): Promise<number> {
  server.listen(port);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new CdrError('bad-config', `cannot listen on port ${port} for the dashboard: ${describeError(error)}`, {
      hint: 'Set DASHBOARD_PORT to a free port; 0 takes any',
      cause: error,
    });
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

function afterCloseDeadline(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, CLOSE_WITHIN_MS).unref());
}
