import path from 'node:path';
import { jobIdOf } from '@cdr/core/job-id';
import { LEDGER_VERSION, type LedgerRecord } from '@cdr/core/ledger-record';
import { BufferPool } from '@cdr/kafka/buffer-pool';
import { compressorFor } from '@cdr/kafka/compression';
import { RecordBatch } from '@cdr/kafka/record-batch';
import { TransactionalProducer } from '@cdr/kafka/transactional-producer';
import type { Parts } from '../dev/services/parts.ts';
import { BenchWorld } from './bench-world.ts';
import { writeTinyFiles, type SetFile } from './file-sets.ts';
import { currentLoad } from './machine.ts';
import { MeasuredProcess, type LogLine } from './measured-process.ts';

/** What the scanner takes for a huge directory. */
export interface ScanResult {
  readonly files: number;
  /** The first scan of all: everything is seen for the first time and settles. */
  readonly firstLookSeconds: number;
  /** The scan that found everything settled and put it into the queue. */
  readonly enqueueSeconds: number;
  /** Both, and the pause between them: from a scanner that is ready to everything in the queue. */
  readonly untilEnqueuedSeconds: number;
  /** The next one, with everything waiting in the queue. */
  readonly nothingNewQueuedSeconds: number;
  /** The first scan of a scanner with everything in the ledger: it compares all of the projection with the ledger. */
  readonly nothingNewFirstSeconds: number;
  /** The next one of the same scanner. */
  readonly nothingNewIngestedSeconds: number;
  /** The same with a Redis that knows nothing: the projection is rebuilt from the ledger topic. */
  readonly rebuildSeconds: number;
  /** CPU time of the scanner for the scan that enqueues, and for two with nothing new, everything in the ledger. */
  readonly cpuSecondsEnqueue: number;
  readonly cpuSecondsNothingNew: number;
  /** Of the scanner that enqueues, that which finds everything in the queue, in the ledger, and that which rebuilds. */
  readonly peakRssMb: Readonly<Record<'enqueue' | 'queued' | 'ingested' | 'rebuild', number>>;
  readonly loadBefore: number;
  readonly problems: readonly string[];
}

const RECORDS_PER_BATCH = 500;

/** Measures both: a directory of which nothing was ingested, and one of which everything was. */
export async function scanRounds(files: number, parts: Parts, uploadDir: string): Promise<ScanResult> {
  const directory = `scan-${files}`;
  const written = writeTinyFiles(path.join(uploadDir, directory), files);
  const loadBefore = currentLoad();
  const first = await scanNew(written, parts, directory);
  const known = await scanKnown(written, parts, directory);
  return {
    files,
    ...first,
    ...known,
    peakRssMb: { ...first.peakRssMb, ...known.peakRssMb },
    loadBefore,
    problems: [...first.problems, ...known.problems],
  };
}

async function scanNew(written: readonly SetFile[], parts: Parts, directory: string) {
  const world = await createWorld('scan-new', parts, directory);
  const scanner = startScanner('scan-new-1', parts, world);
  try {
    const ready = await scanner.untilLine('Connected to SFTP server');
    const look = await scanner.until((lines) => scansIn(lines)[0]);
    const before = scanner.usage();
    const enqueue = await scanner.until((lines) => scansIn(lines).find((line) => line['added'] === written.length));
    const after = scanner.usage();
    await scanner.stop();
    // by another process: the pause behind a long scan is long
    const queued = await scanQueued('scan-new-2', parts, world, written.length);
    const { waiting } = await world.queue.counts();
    return {
      firstLookSeconds: tookSeconds(look),
      enqueueSeconds: tookSeconds(enqueue),
      untilEnqueuedSeconds: (Date.parse(enqueue.time ?? '') - Date.parse(ready.time ?? '')) / 1000,
      nothingNewQueuedSeconds: queued.seconds,
      cpuSecondsEnqueue: after.cpuSeconds - before.cpuSeconds,
      peakRssMb: { enqueue: after.peakRssMb, queued: queued.peakRssMb },
      problems: waiting === written.length ? [] : [`${waiting} jobs for ${written.length} files`],
    };
  } finally {
    await scanner.stop();
    await world.remove();
  }
}

/** The scan of a scanner that finds all files settled, and a job for each in the queue. */
async function scanQueued(name: string, parts: Parts, world: BenchWorld, files: number) {
  const scanner = startScanner(name, parts, world);
  try {
    const scan = await scanner.until((lines) => scansIn(lines).find((line) => line['queued'] === files));
    return { seconds: tookSeconds(scan), peakRssMb: scanner.usage().peakRssMb };
  } finally {
    await scanner.stop();
  }
}

async function scanKnown(written: readonly SetFile[], parts: Parts, directory: string) {
  const world = await createWorld('scan-known', parts, directory);
  try {
    await writeLedger(world, written);
    const rebuild = await firstScans('scan-known-1', parts, world, 1);
    // a process of its own, so that its memory and its start are those of a scanner that finds Redis as it should be
    const again = await firstScans('scan-known-2', parts, world, 2);
    return {
      rebuildSeconds: rebuild.seconds[0] ?? NaN,
      nothingNewFirstSeconds: again.seconds[0] ?? NaN,
      nothingNewIngestedSeconds: again.seconds[1] ?? NaN,
      cpuSecondsNothingNew: again.cpuSeconds,
      peakRssMb: { ingested: again.peakRssMb, rebuild: rebuild.peakRssMb },
      problems: again.ingested === written.length ? [] : [`${again.ingested} of ${written.length} are ingested`],
    };
  } finally {
    await world.remove();
  }
}

/** A scanner's first scans of a directory of which everything is in the ledger. */
async function firstScans(name: string, parts: Parts, world: BenchWorld, howMany: number) {
  const scanner = startScanner(name, parts, world);
  try {
    await scanner.untilLine('Connected to SFTP server');
    const before = scanner.usage();
    const scans = await scanner.until((lines) => (scansIn(lines)[howMany - 1] ? scansIn(lines) : undefined));
    const after = scanner.usage();
    return {
      seconds: scans.map(tookSeconds),
      ingested: Math.min(...scans.map((scan) => Number(scan['ingested']))),
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      peakRssMb: after.peakRssMb,
    };
  } finally {
    await scanner.stop();
  }
}

function createWorld(name: string, parts: Parts, directory: string): Promise<BenchWorld> {
  return BenchWorld.create(name, parts.env, directory, { SCAN_INTERVAL_MS: '1000', STABLE_FOR_MS: '1000' });
}

function startScanner(name: string, parts: Parts, world: BenchWorld): MeasuredProcess {
  return MeasuredProcess.start({
    name: `scanner-${name}`,
    instanceDir: parts.instance.dir,
    program: 'apps/scanner/src/main.ts',
    // what a scan finds again is a line of its own there
    settings: { ...world.env, LOG_LEVEL: 'debug' },
  });
}

/** The lines in which the scanner says what a scan found. */
function scansIn(lines: readonly LogLine[]): LogLine[] {
  return lines.filter(({ msg }) => msg?.startsWith('Found '));
}

function tookSeconds(line: LogLine): number {
  return Number(line['tookMs']) / 1000;
}

/** Writes what a worker would have written after ingesting every file, in one transaction. */
async function writeLedger({ cluster, config }: BenchWorld, written: readonly SetFile[]): Promise<void> {
  const target = { topic: config.topics.ledgerTopic, partition: 0 };
  const producer = await TransactionalProducer.fence(cluster, 'cdr-bench-ledger', config.writer.transactionTimeoutMs);
  await producer.addPartitions([target]);
  const pool = new BufferPool(1 << 20, 1);
  for (let start = 0; start < written.length; start += RECORDS_PER_BATCH) {
    const batch = new RecordBatch(pool);
    for (const file of written.slice(start, start + RECORDS_PER_BATCH)) {
      const key = Buffer.from(file.job.file);
      const value = Buffer.from(JSON.stringify(entryOf(file)));
      batch.append(key, 0, key.length, value, 0, value.length);
    }
    batch.seal(compressorFor('none'));
    await producer.produce(target, batch);
  }
  await producer.commit();
}

function entryOf({ job, rows }: SetFile): LedgerRecord {
  const at = new Date().toISOString();
  return {
    v: LEDGER_VERSION,
    file: job.file,
    feed: job.feed,
    state: 'committed',
    topic: `cdr-${job.feed}`,
    generation: job.generation,
    size: job.size,
    mtimeMs: job.mtimeMs,
    sha256: '0'.repeat(64),
    byteOffset: job.size,
    rows,
    messages: rows,
    rejects: 0,
    ranges: [0, 1].map((partition) => ({ topic: `cdr-${job.feed}`, partition, first: '1000000', last: '1000000' })),
    producerId: '4000',
    epoch: 0,
    attempt: 1,
    jobId: jobIdOf(job.file),
    worker: 'bench-1',
    startedAt: at,
    committedAt: at,
  };
}
