import { isRequested } from '@cdr/core/decide';
import type { LedgerProjection } from '@cdr/queue/ledger-projection';

/** Counting takes at most a twentieth of the time, as large as the ledger may be, and happens only when somebody looks. */
const PAUSE_PER_COUNT = 20;
const SHORTEST_PAUSE_MS = 3_000;
/** The first visitor waits so long for the first count. */
const FIRST_WAIT_MS = 1_000;
const FILES_SHOWN = 20;

export interface ChangedFileLine {
  readonly file: string;
  readonly seenAt: string;
  readonly size: number;
  readonly ingestedSize: number;
}

/** Files by what the ledger says of them. */
export interface LedgerSummary {
  readonly committed: number;
  readonly partial: number;
  readonly adopted: number;
  readonly changed: number;
  /** Wanted again by an operator, and not begun. */
  readonly requested: number;
  readonly messages: number;
  readonly rejects: number;
  /** The last ones to be seen, newest first. */
  readonly changedFiles: readonly ChangedFileLine[];
  /** ms since 1970. */
  readonly countedAt: number;
}

/** Counts the projection of the ledger in the background, and remembers the last count. */
export class LedgerCounter {
  private readonly projection: LedgerProjection;
  private last: LedgerSummary | undefined;
  private running: Promise<void> | undefined;
  private dueAt = -Infinity;

  constructor(projection: LedgerProjection) {
    this.projection = projection;
  }

  /** The last count, a few seconds old; undefined while the first one of a large ledger is under way. Never throws. */
  async summary(): Promise<LedgerSummary | undefined> {
    if (!this.running && performance.now() >= this.dueAt)
      this.running = this.count().finally(() => (this.running = undefined));
    if (!this.last && this.running) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, FIRST_WAIT_MS);
      await Promise.race([this.running, promise]);
      clearTimeout(timer);
    }
    return this.last;
  }

  private async count(): Promise<void> {
    const startedAt = performance.now();
    try {
      this.last = await summarize(this.projection);
    } catch {
      // Redis is away, which the page says by itself: the last count stays
    }
    const took = performance.now() - startedAt;
    this.dueAt = performance.now() + Math.max(SHORTEST_PAUSE_MS, took * PAUSE_PER_COUNT);
  }
}

/** Throws CdrError `redis-unavailable`. */
async function summarize(projection: LedgerProjection): Promise<LedgerSummary> {
  const counts = { committed: 0, partial: 0, adopted: 0, changed: 0, requested: 0, messages: 0, rejects: 0 };
  let changedFiles: ChangedFileLine[] = [];
  for await (const { record } of projection.entries()) {
    counts[record.state]++;
    counts.messages += record.messages;
    counts.rejects += record.rejects;
    if (isRequested(record)) counts.requested++;
    if (!record.changed) continue;
    counts.changed++;
    const { file, changed, size } = record;
    changedFiles.push({ file, seenAt: changed.seenAt, size: changed.size, ingestedSize: size });
    if (changedFiles.length > 2 * FILES_SHOWN) changedFiles = newest(changedFiles);
  }
  return { ...counts, changedFiles: newest(changedFiles), countedAt: Date.now() };
}

function newest(files: readonly ChangedFileLine[]): ChangedFileLine[] {
  return files.toSorted((a, b) => b.seenAt.localeCompare(a.seenAt)).slice(0, FILES_SHOWN);
}
