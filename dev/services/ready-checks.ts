import { connect } from 'node:net';

const ANSWER_TIMEOUT_MS = 2_000;

// ApiVersions, version 0, correlation id 1, no client id: the one request that any client may send first.
const API_VERSIONS_REQUEST = Buffer.from('0000000a' + '0012' + '0000' + '00000001' + 'ffff', 'hex');

/** Resolves when a Redis server answers PING with PONG (one that still loads its data does not). */
export async function redisAnswers(host: string, port: number): Promise<void> {
  await ask({ host, port, request: 'PING\r\n', isAnswer: (bytes) => bytes.toString('latin1').startsWith('+PONG') });
}

/** Resolves when an SSH server sends its banner. */
export async function sshAnswers(host: string, port: number): Promise<void> {
  await ask({ host, port, request: '', isAnswer: (bytes) => bytes.toString('latin1').startsWith('SSH-2.0-') });
}

/** Resolves when a Kafka broker answers ApiVersions without an error, which it does once it may take part. */
export async function kafkaAnswers(host: string, port: number): Promise<void> {
  const isAnswer = (bytes: Buffer) => bytes.length >= 10 && bytes.readInt32BE(4) === 1 && bytes.readInt16BE(8) === 0;
  await ask({ host, port, request: API_VERSIONS_REQUEST, isAnswer });
}

interface Question {
  host: string;
  port: number;
  request: string | Buffer;
  isAnswer: (received: Buffer) => boolean;
}

async function ask({ host, port, request, isAnswer }: Question): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect({ host, port }, () => socket.write(request));
    const finish = (error?: Error) => {
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => finish(new Error(`No answer from ${host}:${port}.`)));
    socket.on('error', finish);
    socket.on('close', () =>
      finish(new Error(`${host}:${port} answered ${JSON.stringify(received.toString('latin1'))}.`)),
    );
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (isAnswer(received)) finish();
    });
  });
}
