import net from 'node:net';
import tls from 'node:tls';
import { gatherWrites } from '@cdr/core/gather-writes';

interface BrokerAddress {
  readonly host: string;
  readonly port: number;
  readonly ssl: tls.ConnectionOptions | null;
}

/** A connection to a broker, as kafkajs is to have it: keepalive, no delay, and one system call for what belongs together. */
export function connectToBroker({ host, port, ssl }: BrokerAddress, onConnect: () => void): net.Socket {
  const name = net.isIP(host) ? {} : { servername: host };
  const socket = ssl ? tls.connect({ host, port, ...name, ...ssl }, onConnect) : net.connect({ host, port }, onConnect);
  socket.setKeepAlive(true, 30_000);
  socket.setNoDelay(true);
  const unref = socket.unref.bind(socket);
  // kafkajs calls it for each request that fails with a connection; Node would wait each time for one that never comes
  socket.unref = () => (socket.destroyed ? socket : unref());
  return gatherWrites(socket);
}
