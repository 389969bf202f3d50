import { CdrError } from '@cdr/core/errors';
import type { Feed } from '@cdr/core/feeds';
import { LEDGER_VERSION, type FileIdentity, type LedgerRecord, type OffsetRange } from '@cdr/core/ledger-record';
import type { AttemptPlan } from '@cdr/core/plan-attempt';
import { tooManyRejects } from '@cdr/core/reject-ratio';
import type { TransactionalWriter } from '@cdr/kafka/transactional-writer';
import type { LedgerAnswer } from '@cdr/ledger/ask-ledger';
import { commitEntry, type Heard } from '@cdr/ledger/commit-entry';
import type { HeldJob } from '@cdr/queue/ingest-slot';
import type { AttemptParts } from './ingest-file.ts';

/** Counts of this attempt so far, and the checkpoint they belong to. */
export interface Checkpoint {
  readonly byteOffset: number;
  readonly sha256: string;
  readonly rows: number;
  readonly messages: number;
  readonly rejects: number;
  /** By column: how many values outside of its list of known ones. */
  readonly unknownValues: ReadonlyMap<string, number>;
}

/**
 * The transactions of one attempt at one file, one after another under one fenced id. Each ends with its ledger record,
 * written last: an early one would hold back every reader of the ledger.
 */
export class FileTransactions {
  private readonly job: HeldJob;
  private readonly parts: AttemptParts;
  private readonly feed: Feed;
  private readonly writer: TransactionalWriter;
  private readonly base: LedgerRecord | undefined;
  private readonly previous: LedgerRecord | undefined;
  private readonly generation: number;
  private readonly startedAt = new Date().toISOString();
  private heard: Heard;
  private ranges: OffsetRange[];
  private committed: LedgerRecord | undefined;
  /** Another file that was ingested with the same content before, as of the last commit. */
  sameContentAs: string | undefined;
  private last: Pick<Checkpoint, 'rows' | 'rejects' | 'unknownValues'> = {
    rows: 0,
    rejects: 0,
    unknownValues: new Map(),
  };

  constructor(
    job: HeldJob,
    parts: AttemptParts,
    feed: Feed,
    writer: TransactionalWriter,
    answer: LedgerAnswer,
    plan: Exclude<AttemptPlan, { kind: 'done' }>,
  ) {
    this.job = job;
    this.parts = parts;
    this.feed = feed;
    this.writer = writer;
    this.previous = answer.entry?.record;
    this.base = plan.kind === 'from-start' ? undefined : plan.base;
    this.generation = plan.generation;
    this.heard = answer;
    this.ranges = (this.base?.ranges ?? []).map((range) => ({
      // the record's own producer is about to change: say whose batches the older ranges are
      ...range,
      producerId: range.producerId ?? this.base?.producerId ?? '',
      epoch: range.epoch ?? this.base?.epoch ?? -1,
    }));
  }

  /** Rows since the last commit of this attempt. */
  rowsSince(checkpoint: { rows: number }): number {
    return checkpoint.rows - this.last.rows;
  }

  /** The record of the last commit. */
  get lastRecord(): LedgerRecord {
    if (!this.committed) throw new Error('nothing was committed');
    return this.committed;
  }

  /** Rows that this attempt committed. */
  get newRows(): number {
    return this.last.rows;
  }

  /** Commits what was read up to a row boundary, more to come. */
  async commitPart(file: FileIdentity, at: Checkpoint): Promise<void> {
    const { retried } = await this.commit('partial', file, at);
    // a copy of the repeated EndTxn may still be on its way and would end the next transaction
    if (retried) throw new CdrError('commit-unknown', 'the commit had to be repeated: starting again behind it');
  }

  /** Commits the file. */
  async commitFile(file: FileIdentity, at: Checkpoint): Promise<void> {
    await this.commit('committed', file, at);
  }

  /** The content is what was ingested, only the identity is new: nothing but the ledger record is written. */
  async refreshIdentity(file: FileIdentity): Promise<void> {
    const base = this.requireBase();
    const { changed: _, ...kept } = base;
    await this.commitRecord({ ...kept, ...file, ranges: this.ranges, ...this.signature() });
  }

  /** The content is not what was ingested: say so beside the entry, and write nothing of it. */
  async markChanged(file: FileIdentity, sha256: string): Promise<void> {
    const changed = { ...file, sha256, seenAt: new Date().toISOString() };
    await this.commitRecord({ ...this.requireBase(), changed, ranges: this.ranges, ...this.signature() });
  }

  private async commit(
    state: 'partial' | 'committed',
    file: FileIdentity,
    at: Checkpoint,
  ): Promise<{ retried: boolean }> {
    const ranges = await this.writer.flush();
    const rows = at.rows - this.last.rows;
    const rejects = at.rejects - this.last.rejects;
    const { maxRejectRatio } = this.parts.settings;
    if (tooManyRejects(rows, rejects, maxRejectRatio))
      throw new CdrError(
        'too-many-rejects',
        `${rejects} of ${rows} rows are no messages, more than ${maxRejectRatio * 100} %`,
        {
          hint: 'Look at the file: it is probably not what its name says. Correct it and upload it again, or raise MAX_REJECT_RATIO.',
        },
      );
    const base = this.base;
    const merged = mergeRanges(this.ranges, ranges);
    const result = await this.commitRecord({
      v: LEDGER_VERSION,
      file: this.job.data.file,
      feed: this.feed.name,
      state,
      topic: this.feed.topic,
      generation: this.generation,
      size: file.size,
      mtimeMs: file.mtimeMs,
      sha256: at.sha256,
      byteOffset: at.byteOffset,
      rows: (base?.rows ?? 0) + at.rows,
      messages: (base?.messages ?? 0) + at.messages,
      rejects: (base?.rejects ?? 0) + at.rejects,
      ranges: merged,
      ...this.signature(),
      // a request for a later generation than this one is still to be served
      ...(this.previous?.requested && this.previous.requested.generation > this.generation
        ? { requested: this.previous.requested }
        : {}),
    });
    const { metrics } = this.parts;
    metrics.messages.inc({ feed: this.feed.name }, rows - rejects);
    metrics.rejects.inc({ feed: this.feed.name }, rejects);
    for (const [column, count] of at.unknownValues)
      metrics.unknownValues.inc({ feed: this.feed.name, column }, count - (this.last.unknownValues.get(column) ?? 0));
    this.ranges = merged;
    this.last = { rows: at.rows, rejects: at.rejects, unknownValues: at.unknownValues };
    return result;
  }

  /** Steps 7 and 8, and the projection of step 9. */
  private async commitRecord(record: LedgerRecord): Promise<{ retried: boolean }> {
    const { announce, metrics } = this.parts;
    await announce('before-ledger', record.file);
    const { offset, retried, openMs, sameContentAs } = await commitEntry(
      record,
      this.heard,
      this.writer,
      this.parts,
      (point) => announce(point, record.file),
    );
    metrics.transactionSeconds.observe(openMs / 1000);
    this.heard = { readTo: offset + 1n, undecided: new Map() };
    this.committed = record;
    this.sameContentAs = sameContentAs;
    return { retried };
  }

  private requireBase(): LedgerRecord {
    if (!this.base) throw new Error('no entry to carry on');
    return this.base;
  }

  /** Who wrote the record, and when. */
  private signature(): Pick<
    LedgerRecord,
    'producerId' | 'epoch' | 'attempt' | 'jobId' | 'worker' | 'startedAt' | 'committedAt'
  > {
    return {
      producerId: this.writer.producerId,
      epoch: this.writer.epoch,
      attempt: this.job.attempt,
      jobId: this.job.id,
      worker: this.parts.settings.worker,
      startedAt: this.startedAt,
      committedAt: new Date().toISOString(),
    };
  }
}

/** One range per partition and producer: those of a producer's next transaction lie behind those of its last. */
function mergeRanges(before: readonly OffsetRange[], added: readonly OffsetRange[]): OffsetRange[] {
  const merged = [...before];
  for (const range of added) {
    const at = merged.findIndex(
      (known) => known.producerId === undefined && known.topic === range.topic && known.partition === range.partition,
    );
    const known = merged[at];
    if (known) merged[at] = { ...known, last: range.last };
    else merged.push(range);
  }
  return merged;
}
