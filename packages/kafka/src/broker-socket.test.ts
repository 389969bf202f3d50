import { once } from 'node:events';
import net from 'node:net';
import { expect, it } from 'vitest';
import { connectToBroker } from './broker-socket.ts';

async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

it('is given up by any number of requests without a listener for each', async () => {
  const socket = connectToBroker({ host: '127.0.0.1', port: await closedPort(), ssl: null }, () => undefined);
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
  const before = socket.listenerCount('connect');
  for (let i = 0; i < 20; i++) socket.end().unref();
  expect(socket.listenerCount('connect')).toBe(before);
});
