import { connect } from 'node:net';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { CdrError } from '@cdr/core/errors';
import { Counter } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { startHealthServer, type HealthServer, type HealthServerOptions } from './health-server.ts';
import { createRegistry } from './metrics.ts';

async function start(options: Partial<HealthServerOptions> = {}): Promise<HealthServer> {
  const server = await startHealthServer({
    port: 0,
    registry: createRegistry('worker'),
    live: () => ({ ok: true }),
    ready: () => ({}),
    ...options,
  });
  onTestFinished(() => server.close());
  return server;
}

async function ask(server: HealthServer, path: string, init: RequestInit = {}) {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

test('/healthz says whether the process is sound', async () => {
  let ok = true;
  const server = await start({ live: () => ({ ok, detail: ok ? undefined : 'event loop blocked' }) });
  expect(await ask(server, '/healthz')).toMatchObject({ status: 200, text: '{"ok":true}\n' });
  ok = false;
  expect(await ask(server, '/healthz')).toMatchObject({
    status: 503,
    text: '{"ok":false,"detail":"event loop blocked"}\n',
  });
});

test('/readyz names each dependency that is not ready', async () => {
  const server = await start({
    ready: () => ({ sftp: { ready: false, detail: 'refused' }, kafka: { ready: true }, redis: { ready: false } }),
  });
  const { status, text } = await ask(server, '/readyz');
  expect(status).toBe(503);
  expect(JSON.parse(text)).toEqual({
    ready: false,
    notReady: ['sftp', 'redis'],
    dependencies: { sftp: { ready: false, detail: 'refused' }, kafka: { ready: true }, redis: { ready: false } },
  });
});

test('/readyz is 200 when everything is', async () => {
  const server = await start({ ready: async () => ({ sftp: { ready: true } }) });
  expect((await ask(server, '/readyz?probe=1')).status).toBe(200);
});

test('a check that throws is a 500 without its text', async () => {
  const server = await start({
    live: () => {
      throw new Error('hunter2');
    },
  });
  const { status, text } = await ask(server, '/healthz');
  expect(status).toBe(500);
  expect(text).not.toContain('hunter2');
});

test('/metrics gives the process and what the app counts, each with the app', async () => {
  const registry = createRegistry('scanner');
  new Counter({ name: 'cdr_scanner_scans_total', help: 'Scans', registers: [registry] }).inc(2);
  const { status, text, headers } = await ask(await start({ registry }), '/metrics');
  expect(status).toBe(200);
  expect(headers.get('content-type')).toContain('text/plain');
  expect(text).toContain('cdr_scanner_scans_total{app="scanner"} 2');
  expect(text).toContain('cdr_process_resident_memory_bytes{app="scanner"}');
});

test('anything else is refused without repeating the request', async () => {
  const server = await start();
  const missing = await ask(server, '/<script>alert(1)</script>');
  expect(missing.status).toBe(404);
  expect(missing.text).not.toContain('script');
  const posted = await ask(server, '/healthz', { method: 'POST', body: 'hunter2' });
  expect(posted.status).toBe(405);
  expect(posted.headers.get('allow')).toBe('GET');
  expect(posted.text).not.toContain('hunter2');
});

test('a port that is taken is an error that names the variable', async () => {
  const { port } = await start();
  const error = await start({ port }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CdrError);
  expect(error).toMatchObject({ code: 'bad-config', hint: expect.stringContaining('METRICS_PORT') as string });
  expect((error as CdrError).message).toContain(`port ${port}`);
});

test('close does not wait for connections that are kept alive', async () => {
  const server = await start();
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const [response] = (await once(get({ port: server.port, path: '/healthz', agent }), 'response')) as [
    NodeJS.ReadableStream,
  ];
  response.resume();
  await once(response, 'end');
  const silent = connect(server.port, '127.0.0.1');
  silent.on('error', () => undefined);
  await once(silent, 'connect');
  const closedAt = once(silent, 'close');
  await server.close();
  await closedAt;
});
