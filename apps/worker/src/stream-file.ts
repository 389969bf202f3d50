import { CheckpointHash } from '@cdr/core/checkpoint-hash';
import { createCsvTransform } from '@cdr/core/csv/fused-transform';
import type { CsvTransform } from '@cdr/core/csv/csv-transform';
import { sameIdentity } from '@cdr/core/decide';
import { CdrError } from '@cdr/core/errors';
import type { Feed } from '@cdr/core/feeds';
import { ingestionTimestamp } from '@cdr/core/ingestion-timestamp';
import type { AttemptPlan } from '@cdr/core/plan-attempt';
import { rejectMessage } from '@cdr/core/rejects';
import type { TransactionalWriter } from '@cdr/kafka/transactional-writer';
import type { HeldJob } from '@cdr/queue/ingest-slot';
import type { RemoteFileReader } from '@cdr/sftp/read-window';
import type { Checkpoint, FileTransactions } from './file-transactions.ts';
import type { AttemptParts } from './ingest-file.ts';

const NO_BYTES = Buffer.alloc(0);
const LF = 0x0a;
const CR = 0x0d;
/** Kafka and Redpanda take batches of 1 MiB unless told otherwise; a batch of one message needs some bytes more. */
const MAX_MESSAGE_BYTES = 1_000_000;
const PROGRESS_EVERY_MS = 1_000;

type Outcome = 'ingested' | 'touched' | 'changed';

/**
 * Steps 5 to 8: reads the file once, from its first byte, and commits what it holds. The part that was ingested before is
 * hashed and compared, not sent again; when it is no longer the same, the file is marked as changed instead.
 * Throws CdrError `file-changed` when the file is not what it was when it was opened.
 */
export async function streamFile(
  job: HeldJob,
  parts: AttemptParts,
  feed: Feed,
  writer: TransactionalWriter,
  reader: RemoteFileReader,
  transactions: FileTransactions,
  plan: Exclude<AttemptPlan, { kind: 'done' }>,
): Promise<Outcome> {
  const identity = reader.identity;
  const hash = new CheckpointHash();

  if (plan.kind === 'adopted') {
    if (plan.base.size === identity.size) {
      await transactions.refreshIdentity(identity);
      return 'touched';
    }
    return markChanged(parts, reader, hash, 0, transactions);
  }

  const known = plan.kind === 'continue' ? plan.base : undefined;
  const knownBytes = known?.byteOffset ?? 0;
  if (reader.contentBytes !== undefined && knownBytes > reader.contentBytes)
    return markChanged(parts, reader, hash, 0, transactions);

  await writer.prepare([feed.topic, parts.settings.rejectsTopic]);
  const fileKey = Buffer.from(job.data.file);
  const transform = createCsvTransform({
    sourceFile: job.data.file.slice(job.data.file.lastIndexOf('/') + 1),
    recordType: feed.name,
    requiredColumns: feed.columns,
    keyColumn: feed.keyColumn,
    checks: parts.settings.fieldChecks === 'strict' ? feed.checks : {},
    maxLineBytes: parts.settings.maxLineBytes,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    timestamp: () => ingestionTimestamp(performance.timeOrigin + performance.now()),
    startOffset: knownBytes,
    sink: {
      messages: (block) => writer.messages(feed.topic, block),
      reject: (row) =>
        writer.message(parts.settings.rejectsTopic, fileKey, Buffer.from(rejectMessage(job.data.file, row))),
    },
  });
  const prefix = new PrefixCheck(knownBytes, known?.sha256 ?? '');
  const commitPart = async (): Promise<void> => {
    await Promise.all([mustBeTheSame(reader), writer.flush()]);
    await transactions.commitPart(identity, checkpointOf(transform, hash));
  };

  let bytesRead = 0;
  let bytesCounted = 0;
  let progressAt = performance.now();
  for (;;) {
    const chunk = await nextChunk(parts, reader, writer, () => transactions.rowsSince(transform) > 0, commitPart);
    if (!chunk) break;
    const start = bytesRead;
    bytesRead += chunk.length;
    parts.metrics.readBytes.inc({ feed: feed.name }, reader.fileBytesRead - bytesCounted);
    bytesCounted = reader.fileBytesRead;
    hash.push(chunk);
    if (!prefix.holds(hash, chunk, start)) return markChanged(parts, reader, hash, bytesRead, transactions);

    let more = transform.push(chunk, rowsLeft(parts, transactions, transform));
    for (;;) {
      await writer.ready();
      if (isDue(parts, writer) ? transactions.rowsSince(transform) > 0 : more) await commitPart();
      if (!more) break;
      more = transform.push(NO_BYTES, rowsLeft(parts, transactions, transform));
    }
    hash.advanceTo(transform.byteOffset);
    hash.keep(transform.doneTo);
    reader.release(chunk);
    await parts.announce('streamed', job.data.file);
    if (performance.now() - progressAt > PROGRESS_EVERY_MS) {
      progressAt = performance.now();
      void job.progress({ bytes: reader.fileBytesRead, size: identity.size, rows: transform.rows });
    }
  }
  // what is compressed shows only now that it has become shorter
  if (bytesRead < knownBytes) return markChanged(parts, reader, hash, bytesRead, transactions);
  while (transform.end(rowsLeft(parts, transactions, transform))) await commitPart();

  // 6 Check: all of it was read, and it is still what it was.
  if (bytesRead !== reader.contentBytes)
    throw new CdrError('file-changed', `read ${bytesRead} of ${reader.contentBytes} bytes`);
  await mustBeTheSame(reader);

  if (known?.state === 'committed' && knownBytes === bytesRead) {
    await transactions.refreshIdentity(identity);
    return 'touched';
  }
  await transactions.commitFile(identity, checkpointOf(transform, hash));
  return 'ingested';
}

function rowsLeft(parts: AttemptParts, transactions: FileTransactions, transform: CsvTransform): number {
  return Math.max(1, parts.settings.transactionMaxRecords - transactions.rowsSince(transform));
}

function checkpointOf(transform: CsvTransform, hash: CheckpointHash): Checkpoint {
  const { byteOffset, rows, messages, rejects, unknownValues } = transform;
  hash.advanceTo(byteOffset);
  return { byteOffset, sha256: hash.digest(), rows, messages, rejects, unknownValues };
}

/** A transaction that has been open for half of what the brokers allow must end. */
function isDue(parts: AttemptParts, writer: TransactionalWriter): boolean {
  return writer.openedAt !== undefined && performance.now() - writer.openedAt > parts.settings.transactionTimeoutMs / 2;
}

/** The next chunk. While a slow server keeps it waiting, a transaction that is due is ended. */
async function nextChunk(
  parts: AttemptParts,
  reader: RemoteFileReader,
  writer: TransactionalWriter,
  hasRows: () => boolean,
  commitPart: () => Promise<void>,
): Promise<Buffer | null> {
  parts.shutdown.throwIfAborted();
  const chunk = reader.next();
  if (writer.openedAt === undefined) return untilShutdown(parts, chunk);
  const dueInMs = writer.openedAt + parts.settings.transactionTimeoutMs / 2 - performance.now();
  const due = Promise.withResolvers<'due'>();
  const timer = setTimeout(() => due.resolve('due'), Math.max(0, dueInMs));
  try {
    const first = await untilShutdown(parts, Promise.race([chunk, due.promise]));
    if (first !== 'due') return first;
  } catch (error) {
    chunk.catch(() => undefined);
    throw error;
  } finally {
    clearTimeout(timer);
  }
  if (hasRows()) await commitPart();
  return untilShutdown(parts, chunk);
}

/** Rejects with `shutdown` when the process has to leave before the promise settles. */
async function untilShutdown<T>(parts: AttemptParts, promise: Promise<T>): Promise<T> {
  const { signal, dispose } = rejectOnAbort(parts.shutdown);
  try {
    return await Promise.race([promise, signal]);
  } finally {
    dispose();
  }
}

function rejectOnAbort(signal: AbortSignal): { signal: Promise<never>; dispose: () => void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined);
  const onAbort = (): void => reject(new CdrError('shutdown', 'the worker is shutting down'));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  return { signal: promise, dispose: () => signal.removeEventListener('abort', onAbort) };
}

async function mustBeTheSame(reader: RemoteFileReader): Promise<void> {
  const now = await reader.fstat();
  if (!sameIdentity(now, reader.identity))
    throw new CdrError('file-changed', 'the file changed while it was being read');
}

/** Hashes the whole file and records what it is now. */
async function markChanged(
  parts: AttemptParts,
  reader: RemoteFileReader,
  hash: CheckpointHash,
  alreadyRead: number,
  transactions: FileTransactions,
): Promise<'changed'> {
  let bytesRead = alreadyRead;
  hash.advanceTo(bytesRead);
  for (;;) {
    const chunk = await untilShutdown(parts, reader.next());
    if (!chunk) break;
    bytesRead += chunk.length;
    hash.push(chunk);
    hash.advanceTo(bytesRead);
    reader.release(chunk);
  }
  await mustBeTheSame(reader);
  await transactions.markChanged(reader.identity, hash.digest());
  return 'changed';
}

/**
 * Compares the part of a file that was ingested before with what the ledger says of it, before a byte behind it is
 * looked at. A part that ends within a line is only the same if the line ended there.
 */
class PrefixCheck {
  private readonly bytes: number;
  private readonly sha256: string;
  private lastByte: number | undefined;
  private done: boolean;

  constructor(bytes: number, sha256: string) {
    this.bytes = bytes;
    this.sha256 = sha256;
    this.done = bytes === 0;
  }

  /** Call for each chunk, pushed to the hash already; `start` is its byte offset. False: not the same any more. */
  holds(hash: CheckpointHash, chunk: Buffer, start: number): boolean {
    const end = start + chunk.length;
    if (start > 0 && start === this.bytes) return this.lineEnded(chunk[0]);
    if (this.done) return true;
    if (end < this.bytes) {
      hash.advanceTo(end);
      this.lastByte = chunk.at(-1);
      return true;
    }
    hash.advanceTo(this.bytes);
    this.done = true;
    this.lastByte = this.bytes > start ? chunk[this.bytes - start - 1] : this.lastByte;
    if (hash.digest() !== this.sha256) return false;
    return end === this.bytes || this.lineEnded(chunk[this.bytes - start]);
  }

  private lineEnded(next: number | undefined): boolean {
    return this.lastByte === LF || next === LF || next === CR;
  }
}
