import { openReadWindow } from '@cdr/sftp/read-window';
import { SftpPool } from '@cdr/sftp/sftp-pool';
import { readFileSync } from 'node:fs';
import { workerConfig } from '../apps/worker/src/config.ts';
import { measureAlone, tellResult } from './alone.ts';

/** Reads the file BENCH_NAME of the SFTP server through the worker's read window, into nothing. */
const config = workerConfig(process.env, 'bench', (path) => readFileSync(path, 'utf8'));
const pool = new SftpPool(config.sftp);
await pool.probe();
const path = `${config.sftp.remotePath}/${process.env['BENCH_NAME'] ?? ''}`;

const result = await measureAlone(Number(process.env['BENCH_ROWS']), () =>
  pool.withChannel(async (channel) => {
    const reader = await openReadWindow(channel, path);
    let bytes = 0;
    for (let chunk = await reader.next(); chunk !== null; chunk = await reader.next()) {
      bytes += chunk.length;
      reader.release(chunk);
    }
    reader.close();
    if (bytes !== reader.identity.size) throw new Error(`${bytes} bytes of ${reader.identity.size}`);
    return bytes / 1e6;
  }),
);
tellResult(result);
await pool.close();
