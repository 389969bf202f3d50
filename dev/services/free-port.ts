import { createServer } from 'node:net';

// Below the range that systems take the source ports of outgoing connections from (Linux 32768.., macOS 49152..): a
// client that keeps trying to reach a killed service must not be handed that service's port as its own source port, or
// the service cannot come back on it.
const FIRST_PORT = 20_000;
const LAST_PORT = 31_999;

const handedOut = new Set<number>();

/**
 * A loopback TCP port that nothing listens on, and that this process has not given out before.
 * @param wanted a port to prefer when it is free, such as the one an earlier start had
 * @throws when no free port was found in 200 tries
 */
export async function freePort(wanted?: number): Promise<number> {
  const candidates = wanted === undefined ? [] : [wanted];
  for (let tries = 0; tries < 200; tries += 1) {
    const port = candidates.pop() ?? FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    if (await isPortFree(port)) return port;
    handedOut.delete(port);
  }
  throw new Error(`No free loopback port found between ${FIRST_PORT} and ${LAST_PORT}.`);
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export async function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
