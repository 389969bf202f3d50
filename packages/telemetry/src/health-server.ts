import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { CdrError } from '@cdr/core/errors';
import type { Registry } from 'prom-client';

export interface Liveness {
  readonly ok: boolean;
  readonly detail?: string | undefined;
}

/** By dependency. */
export type Readiness = Readonly<Record<string, { readonly ready: boolean; readonly detail?: string | undefined }>>;

export interface HealthServerOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly registry: Registry;
  /** Whether this process itself is sound; what it depends on has no say. */
  readonly live: () => Liveness | Promise<Liveness>;
  readonly ready: () => Readiness | Promise<Readiness>;
}

export interface HealthServer {
  /** The port that is bound. */
  readonly port: number;
  /** Stops at once; connections that are kept alive are cut. */
  close(): Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly type: string;
}

const JSON_TYPE = 'application/json';

/**
 * Serves /healthz (200 or 503), /readyz (200, or 503 naming what is not ready) and /metrics for Prometheus, on all
 * addresses. Resolves when it listens; throws CdrError `bad-config` when the port cannot be had.
 */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    void answer(request, options).then((reply) => send(response, reply));
  });
  server.requestTimeout = 5_000;
  await listen(server, options.port);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Never rejects, and never repeats anything of the request. */
async function answer(request: IncomingMessage, options: HealthServerOptions): Promise<Reply> {
  if (request.method !== 'GET') return json(405, { error: 'only GET' });
  const path = request.url?.split('?', 1)[0] ?? '';
  try {
    switch (path) {
      case '/healthz': {
        const { ok, detail } = await options.live();
        return json(ok ? 200 : 503, { ok, detail });
      }
      case '/readyz': {
        const dependencies = await options.ready();
        const notReady = Object.keys(dependencies).filter((name) => dependencies[name]?.ready !== true);
        return json(notReady.length === 0 ? 200 : 503, { ready: notReady.length === 0, notReady, dependencies });
      }
      case '/metrics':
        return { status: 200, body: await options.registry.metrics(), type: options.registry.contentType };
      default:
        return json(404, { error: 'only /healthz, /readyz and /metrics' });
    }
  } catch {
    return json(500, { error: 'the check itself failed' });
  }
}

function json(status: number, value: unknown): Reply {
  return { status, body: `${JSON.stringify(value)}\n`, type: JSON_TYPE };
}

function send(response: ServerResponse, { status, body, type }: Reply): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    ...(status === 405 ? { allow: 'GET' } : {}),
  });
  response.end(body);
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void =>
      reject(
        new CdrError('bad-config', `cannot listen on port ${port} for health and metrics: ${reasonOf(error)}`, {
          hint: 'Set METRICS_PORT to a free port; 0 takes any',
          cause: error,
        }),
      );
    server.once('error', onError);
    server.listen(port, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'it is taken';
  return error.code === 'EACCES' ? 'not permitted' : error.message;
}
