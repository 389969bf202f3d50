import net from 'node:net';
import type { AddressInfo } from 'node:net';

export interface SlowProxy {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * A TCP proxy on the loopback interface that makes a server far away: every byte arrives half of `roundTripMs` later, in
 * both directions. It does not limit how many bytes are on their way, as a long fat line does not.
 */
export async function startSlowProxy(target: { host: string; port: number }, roundTripMs: number): Promise<SlowProxy> {
  const sockets = new Set<net.Socket>();
  // half open: what is on its way when one side has said its last word still has to arrive
  const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = net.connect({ ...target, noDelay: true, allowHalfOpen: true });
    for (const [socket, peer] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      delayed(socket, peer, roundTripMs / 2);
      socket.on('error', () => peer.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Writes to `to` what `from` receives, `delayMs` later and in order. */
function delayed(from: net.Socket, to: net.Socket, delayMs: number): void {
  const line: { readonly dueAt: number; readonly bytes: Buffer | undefined }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const deliver = (): void => {
    timer = undefined;
    const now = performance.now();
    for (let next = line[0]; next !== undefined && next.dueAt <= now; next = line[0]) {
      line.shift();
      if (next.bytes === undefined) to.end();
      else if (to.writable) to.write(next.bytes);
    }
    // a timer may be early by a fraction of a millisecond
    if (line[0] !== undefined) timer = setTimeout(deliver, Math.max(1, line[0].dueAt - now));
  };
  const put = (bytes: Buffer | undefined): void => {
    line.push({ dueAt: performance.now() + delayMs, bytes });
    timer ??= setTimeout(deliver, delayMs);
  };
  from.on('data', put);
  from.on('end', () => put(undefined));
}
