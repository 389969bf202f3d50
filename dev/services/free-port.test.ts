import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePort, isPortFree } from './free-port.ts';

test('a port is given out once, and lies where no outgoing connection takes its own from', async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
  expect(new Set(ports).size).toBe(50);
  for (const port of ports) expect(port).toSatisfy((value: number) => value >= 20_000 && value < 32_768);
});

test('a wanted port is given when it is free and another one when it is not', async () => {
  const wanted = await freePort();
  const server = createServer().listen(wanted, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
  expect(await isPortFree(wanted)).toBe(false);
  expect(await freePort(wanted)).not.toBe(wanted);

  const other = await freePort();
  // Given out already, so for this process it is taken even though nobody listens.
  expect(await freePort(other)).not.toBe(other);
});
