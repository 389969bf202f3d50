import type { Feed } from '@cdr/core/feeds';
import { CdrError, errorCodeOf } from '@cdr/core/errors';
import { sameIdentity } from '@cdr/core/decide';
import type { IngestJob } from '@cdr/core/ingest-job';
import type { FileIdentity, LedgerRecord } from '@cdr/core/ledger-record';
import { planAttempt } from '@cdr/core/plan-attempt';
import { transactionalIdOf } from '@cdr/core/transactional-id';
import type { TransactionalWriter } from '@cdr/kafka/transactional-writer';
import { askLedger, type LedgerAnswer } from '@cdr/ledger/ask-ledger';
import type { KeepUp } from '@cdr/ledger/keep-up';
import type { LedgerParts } from '@cdr/ledger/ledger-parts';
import type { HeldJob } from '@cdr/queue/ingest-slot';
import type { RemoteFileReader } from '@cdr/sftp/read-window';
import type { SftpPool } from '@cdr/sftp/sftp-pool';
import type { Announce } from './attempt-points.ts';
import { afterIngest, type AfterIngestPolicy } from './after-ingest.ts';
import { FileTransactions } from './file-transactions.ts';
import { OpeningFile } from './opening-file.ts';
import { streamFile } from './stream-file.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

/** What every attempt of a process shares. */
export interface AttemptParts extends LedgerParts {
  readonly feeds: readonly Feed[];
  readonly sftp: SftpPool;
  readonly keepUp: KeepUp;
  readonly settings: AttemptSettings;
  /** Aborted on shutdown, after the grace. */
  readonly shutdown: AbortSignal;
  readonly metrics: WorkerMetrics;
  readonly announce: Announce;
}

export interface AttemptSettings {
  readonly remotePath: string;
  readonly rejectsTopic: string;
  readonly worker: string;
  readonly fieldChecks: 'strict' | 'off';
  readonly maxLineBytes: number;
  readonly maxRejectRatio: number;
  readonly transactionMaxRecords: number;
  readonly transactionTimeoutMs: number;
  readonly stableForMs: number;
  readonly incompleteAfterMs: number;
  readonly gzipMaxRatio: number;
  readonly afterIngest: AfterIngestPolicy;
}

export type AttemptResult =
  | {
      readonly kind: 'ingested';
      readonly record: LedgerRecord;
      readonly feed: Feed;
      readonly newRows: number;
      /** Another file that was ingested with the same content before. */
      readonly sameContentAs: string | undefined;
    }
  /** Only the file's identity in the ledger was brought up to date: same content, other mtime. */
  | { readonly kind: 'touched'; readonly record: LedgerRecord }
  /** The content differs from what was ingested: recorded, nothing written. */
  | { readonly kind: 'changed'; readonly record: LedgerRecord }
  | { readonly kind: 'nothing-to-do'; readonly because: 'committed' | 'superseded'; readonly generation: number }
  | { readonly kind: 'put-back'; readonly job: IngestJob; readonly delayMs: number; readonly why: string }
  /** The lock is somebody else's, and Kafka was not touched. */
  | { readonly kind: 'lost' };

/**
 * One attempt at one file: own, fence, ask, open, stream, check, ledger, commit, and what follows a commit. The order is
 * the guarantee; docs/architecture.md says what each step is for. `again`: an earlier one did not come to an end.
 * Throws CdrError; what a code means is in retry-policy.
 */
export async function ingestFile(job: HeldJob, parts: AttemptParts, again = false): Promise<AttemptResult> {
  const { file, feed: feedName } = job.data;
  const feed = parts.feeds.find(({ name }) => name === feedName);
  if (!feed)
    throw new CdrError('no-feed', `no feed is called ${JSON.stringify(feedName)}`, { hint: 'Remove the job.' });

  const opening = new OpeningFile(parts.sftp, pathOf(parts, file), {
    expectedSize: job.data.size,
    gzipMaxRatio: parts.settings.gzipMaxRatio,
    lookFirst: again,
  });
  try {
    // 1 Own: before every fence. A woken zombie must not fence the live owner.
    if (!(await job.own())) return { kind: 'lost' };
    await parts.announce('owned', file);

    // 2 Fence: when this answers, every earlier attempt at this file is decided, committed or aborted for good.
    const writer = await parts.writers.fence(transactionalIdOf(parts.ledger().topic, file));
    return await attemptUnder(writer, job, parts, feed, opening);
  } finally {
    opening.close();
  }
}

async function attemptUnder(
  writer: TransactionalWriter,
  job: HeldJob,
  parts: AttemptParts,
  feed: Feed,
  opening: OpeningFile,
): Promise<AttemptResult> {
  const { file } = job.data;
  try {
    await parts.announce('fenced', file);

    // 3 Ask the ledger, never before the fence.
    const answer = await askLedger(file, parts.projection, parts.ledgerReader, parts.ledger());
    parts.keepUp.behindBy(answer.behindBy);
    await parts.announce('asked', file);
    const plan = planAttempt(answer.entry?.record, job.data, job.data);
    if (plan.kind === 'done') {
      if (plan.because === 'committed' && answer.entry) {
        await parts.projection.put(answer.entry);
        await finish(parts, answer.entry.record);
      }
      return { kind: 'nothing-to-do', because: plan.because, generation: answer.entry?.record.generation ?? 0 };
    }

    // 4 to 8 Open and compare, stream, check, ledger record last, commit.
    return await readAndCommit(job, parts, feed, writer, answer, plan, await opening.reader());
  } catch (error) {
    await writer.abort();
    if (errorCodeOf(error) !== 'gzip-truncated') throw error;
    const waiting = whileIncomplete(job.data, parts.settings, NO_GZIP_END);
    if (!waiting) throw error;
    return waiting;
  }
}

type OpenPlan = Exclude<ReturnType<typeof planAttempt>, { kind: 'done' }>;

async function readAndCommit(
  job: HeldJob,
  parts: AttemptParts,
  feed: Feed,
  writer: TransactionalWriter,
  answer: LedgerAnswer,
  plan: OpenPlan,
  reader: RemoteFileReader,
): Promise<AttemptResult> {
  await parts.announce('opened', job.data.file);
  const notReady = await whyNotReady(job.data, reader, parts.settings);
  if (notReady) return notReady;

  const transactions = new FileTransactions(job, parts, feed, writer, answer, plan);
  const outcome = await streamFile(job, parts, feed, writer, reader, transactions, plan);
  const record = transactions.lastRecord;
  if (outcome === 'ingested' || outcome === 'touched') await finish(parts, record);
  if (outcome !== 'ingested') return { kind: outcome, record };
  const { newRows, sameContentAs } = transactions;
  return { kind: 'ingested', record, feed, newRows, sameContentAs };
}

/**
 * Step 4: the file must still be what the scanner saw, and its last line must have an end, or have waited for one. Whether
 * a compressed file has an end shows only when it was read: one that had none is not read again before it has waited.
 */
async function whyNotReady(
  job: IngestJob,
  reader: RemoteFileReader,
  settings: AttemptSettings,
): Promise<AttemptResult | undefined> {
  if (!sameIdentity(reader.identity, job))
    return putBack(job, reader.identity, settings, 'it changed since it was listed');
  if (reader.identity.size === 0) return whileIncomplete(job, settings, 'it is empty');
  if (reader.isCompressed) return job.heldSince ? whileIncomplete(job, settings, NO_GZIP_END) : undefined;
  return (await reader.readLastByte()) === LF ? undefined : whileIncomplete(job, settings, 'its last line has no end');
}

/** Puts a file back that is not whole: an upload may go on. Undefined when it has waited for INCOMPLETE_AFTER_MS. */
function whileIncomplete(job: IngestJob, settings: AttemptSettings, why: string): AttemptResult | undefined {
  const now = Date.now();
  const heldSince = job.heldSince ?? now;
  if (now - heldSince >= settings.incompleteAfterMs) return undefined;
  const untilTaken = heldSince + settings.incompleteAfterMs - now;
  return {
    kind: 'put-back',
    job: { ...job, heldSince },
    delayMs: Math.min(untilTaken, Math.max(settings.stableForMs, MIN_PUT_BACK_MS)),
    why,
  };
}

/** Puts a file that is still changing back, under what is known of it now. */
function putBack(job: IngestJob, now: FileIdentity, settings: AttemptSettings, why: string): AttemptResult {
  const { heldSince: _, ...rest } = job;
  return {
    kind: 'put-back',
    job: { ...rest, size: now.size, mtimeMs: now.mtimeMs },
    delayMs: Math.max(settings.stableForMs, MIN_PUT_BACK_MS),
    why,
  };
}

/** The same for a file that changed under our hands: the next attempt looks at what it is by then. */
export function putBackLater(job: IngestJob, settings: AttemptSettings, why: string): AttemptResult {
  return putBack(job, job, settings, why);
}

/** Step 9, repeatable and harmless when late: the projection has the record already, or the next scan brings it. */
async function finish(parts: AttemptParts, record: LedgerRecord): Promise<void> {
  if (parts.settings.afterIngest.kind === 'keep' || record.state !== 'committed') return;
  await parts.announce('before-after-ingest', record.file);
  await afterIngest(parts.sftp, pathOf(parts, record.file), record, parts.settings.afterIngest);
  await parts.announce('after-after-ingest', record.file);
}

function pathOf(parts: AttemptParts, file: string): string {
  return `${parts.settings.remotePath.replace(/\/$/, '')}/${file}`;
}

const LF = 0x0a;
const NO_GZIP_END = 'its gzip data have no end';
const MIN_PUT_BACK_MS = 250;
