import { posix } from 'node:path';
import type { SftpChannel } from './sftp-channel.ts';

const WRITES_IN_FLIGHT = 8;
/** What OpenSSH takes in one WRITE. */
const WRITE_BYTES = 261_120;

/** See SftpChannel.writeFile. */
export async function writeRemoteFile(
  channel: SftpChannel,
  path: string,
  content: Buffer | AsyncIterable<Buffer>,
): Promise<void> {
  const temporary = posix.join(posix.dirname(path), `.${posix.basename(path)}.part`);
  const what = `writing ${temporary}`;
  const handle = await channel.request<Buffer>(what, (sftp, answer) => sftp.open(temporary, 'w', answer));
  try {
    const inFlight = new Set<Promise<void>>();
    let position = 0;
    for await (const piece of Buffer.isBuffer(content) ? [content] : content) {
      for (let from = 0; from < piece.length; from += WRITE_BYTES) {
        const length = Math.min(WRITE_BYTES, piece.length - from);
        const at = position;
        position += length;
        const write = channel.request<void>(what, (sftp, answer) =>
          sftp.write(handle, piece, from, length, at, (error) => answer(error)),
        );
        inFlight.add(write);
        // a rejection is met in the race or in the end; until then it must not count as unhandled
        write.then(
          () => inFlight.delete(write),
          () => undefined,
        );
        if (inFlight.size >= WRITES_IN_FLIGHT) await Promise.race(inFlight);
      }
    }
    await Promise.all(inFlight);
    await channel.request<void>(what, (sftp, answer) => sftp.close(handle, (error) => answer(error)));
  } catch (error) {
    channel.closeHandle(handle);
    // best effort: what is left behind has a temporary name and is overwritten by the next try
    await channel.remove(temporary).catch(() => undefined);
    throw error;
  }
  await channel.rename(temporary, path, { replace: true });
}
