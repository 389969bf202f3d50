import path from 'node:path';
import type { AloneResult } from './alone.ts';
import { BenchWorld } from './bench-world.ts';
import type { PreparedSet } from './file-sets.ts';
import type { RoundParts } from './ingest-round.ts';
import { currentLoad } from './machine.ts';
import { MeasuredProcess } from './measured-process.ts';
import { startSlowProxy } from './slow-proxy.ts';

/** A part of the data path alone. */
export interface Limit {
  readonly name: string;
  readonly recordsPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly cpuSecondsPerMillion: number;
  readonly loadBefore: number;
}

interface LimitOptions {
  readonly set: PreparedSet;
  readonly uploadDir: string;
  readonly rounds: RoundParts;
}

/** What bounds the ingester on this machine, with the file of a set of one file. */
export async function measureLimits(options: LimitOptions, say: (line: string) => void): Promise<Limit[]> {
  const { set, uploadDir } = options;
  const name = set.content[0]?.job.file ?? '';
  const local = {
    BENCH_FILE: path.join(uploadDir, set.directory, name),
    BENCH_NAME: name,
    BENCH_ROWS: String(set.rows),
  };
  const limits: Limit[] = [];
  const measure = async (title: string, program: string, settings: Record<string, string> = {}, roundTripMs = 0) => {
    const limit = await measureOne(title, program, { ...local, ...settings }, options, roundTripMs);
    limits.push(limit);
    const { recordsPerSecond, cpuSecondsPerMillion, loadBefore } = limit;
    say(
      `${title}: ${Math.round(recordsPerSecond)} records/s, ${cpuSecondsPerMillion.toFixed(2)} CPU s/million, load ${loadBefore}`,
    );
  };
  await measure('broker alone, 1 batch in flight per partition', 'broker-alone');
  await measure('broker alone, 5 batches in flight per partition', 'broker-alone', { BENCH_IN_FLIGHT: '5' });
  await measure('broker alone, lz4', 'broker-alone', { BENCH_IN_FLIGHT: '5', COMPRESSION: 'lz4' });
  await measure('SFTP read alone', 'sftp-alone');
  await measure('SFTP read alone, 10 ms round trip', 'sftp-alone', {}, 10);
  await measure('SFTP read alone, 50 ms round trip', 'sftp-alone', {}, 50);
  await measure('CSV step alone', 'csv-alone');
  await measure('CSV step and record batches alone', 'csv-alone', { BENCH_BATCHES: '1' });
  await measure('CSV step and record batches alone, lz4', 'csv-alone', { BENCH_BATCHES: '1', COMPRESSION: 'lz4' });
  return limits;
}

async function measureOne(
  title: string,
  program: string,
  settings: Readonly<Record<string, string>>,
  { set, rounds }: LimitOptions,
  roundTripMs: number,
): Promise<Limit> {
  const { parts, judge } = rounds;
  const loadBefore = currentLoad();
  const name = `limit-${title.replace(/[^a-z0-9]+/gi, '-').toLowerCase()}`;
  const away = { host: parts.env['SFTP_HOST'] ?? '', port: Number(parts.env['SFTP_PORT']) };
  const proxy = roundTripMs > 0 ? await startSlowProxy(away, roundTripMs) : undefined;
  const world = await BenchWorld.create(name, parts.env, set.directory, {
    ...(proxy ? { SFTP_HOST: '127.0.0.1', SFTP_PORT: String(proxy.port) } : {}),
  });
  const alone = MeasuredProcess.start({
    name,
    instanceDir: parts.instance.dir,
    program: `bench/${program}.ts`,
    settings: { ...world.env, ...settings },
  });
  try {
    const result = (await alone.untilLine('result')) as unknown as AloneResult;
    if (program === 'broker-alone') {
      const total = Object.values(await judge.count(world.recordTopics)).reduce((sum, count) => sum + count, 0);
      if (total !== set.rows) throw new Error(`${title}: ${total} messages of ${set.rows} rows`);
    }
    return {
      name: title,
      recordsPerSecond: result.records / result.seconds,
      megabytesPerSecond: result.megabytes / result.seconds,
      cpuSecondsPerMillion: (result.cpuSeconds / result.records) * 1e6,
      loadBefore,
    };
  } finally {
    await alone.stop();
    await proxy?.close();
    await world.remove();
  }
}
