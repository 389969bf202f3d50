import { connect } from 'node:net';
import type { Call } from '@cdr/kafka/requests';
import { WireWriter } from '@cdr/kafka/wire';

/** Sends one request to one broker over a connection of its own: which broker answers is the caller's choice. */
export async function askBroker<Answer>(
  port: number,
  { apiKey, apiVersion, body, read }: Call<Answer>,
): Promise<Answer> {
  const header = new WireWriter().int16(apiKey).int16(apiVersion).int32(1).string('test').finish();
  const size = new WireWriter(4).int32(header.length + body.length).finish();
  const answer = await new Promise<Buffer>((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.concat([size, header, body])));
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer from port ${port}`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`port ${port} closed the connection`)));
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      resolve(received.subarray(8));
      socket.destroy();
    });
  });
  return read(answer);
}
