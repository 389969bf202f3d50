import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { startSlowProxy } from './slow-proxy.ts';

const ROUND_TRIP_MS = 60;

async function connectThroughProxy(serve: (socket: net.Socket) => void): Promise<net.Socket> {
  const server = net.createServer({ allowHalfOpen: true }, serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy = await startSlowProxy({ host: '127.0.0.1', port }, ROUND_TRIP_MS);
  const socket = net.connect({ host: '127.0.0.1', port: proxy.port });
  onTestFinished(async () => {
    socket.destroy();
    await proxy.close();
    server.close();
  });
  await once(socket, 'connect');
  return socket;
}

test('an answer takes a round trip', async () => {
  const socket = await connectThroughProxy((far) => far.pipe(far));
  const startedAt = performance.now();
  socket.write('ping');
  await once(socket, 'data');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(ROUND_TRIP_MS);
});

test('bytes come all and in order, many of them in one round trip, and the end behind them', async () => {
  const parts = Array.from({ length: 2_000 }, (_, i) => `${i} `.repeat(200));
  const socket = await connectThroughProxy((far) => {
    for (const part of parts) far.write(part);
    far.end();
  });
  // not toBe: nobody wants to read the difference
  expect((await text(socket)) === parts.join('')).toBe(true);
});
