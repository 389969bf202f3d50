import type { LedgerReader } from '@cdr/kafka/ledger-reader';
import {
  sameLedger,
  type LedgerIdentity,
  type LedgerProjection,
  type ProjectedRecord,
} from '@cdr/queue/ledger-projection';

const EVERY_MS = 3_600_000;

/**
 * Compares the whole projection with the ledger and lets the ledger win: once after a start and then every hour. Below its
 * position the projection is believed, so that somebody who changed it by hand, or a Redis that lost a part of a hash,
 * would make a file be forgotten or ingested twice.
 */
export class ProjectionCheck {
  private readonly projection: LedgerProjection;
  private readonly reader: LedgerReader;
  private readonly everyMs: number;
  private checkedAt: number | undefined;

  constructor(projection: LedgerProjection, reader: LedgerReader, everyMs = EVERY_MS) {
    this.projection = projection;
    this.reader = reader;
    this.everyMs = everyMs;
  }

  /**
   * Does nothing until it is time. Call it behind a catch-up, which leaves a position of this ledger. Returns the files of
   * which something else was remembered. Throws what reading the ledger and Redis throw.
   */
  async whenDue(ledger: LedgerIdentity): Promise<readonly string[]> {
    const now = performance.now();
    if (this.checkedAt !== undefined && now - this.checkedAt < this.everyMs) return [];
    const position = await this.projection.position();
    if (!position || !sameLedger(position, ledger)) return [];
    const newest = new Map<string, ProjectedRecord>();
    for await (const stretch of this.reader.readCommitted(await this.reader.start())) {
      for (const entry of [...stretch.entries, ...stretch.unreadable]) {
        const file = 'record' in entry ? entry.record.file : entry.file;
        if (entry.offset > (newest.get(file)?.offset ?? -1n)) newest.set(file, entry);
      }
      if (stretch.position >= position.offset) break;
    }
    const mended = await this.projection.mend(newest, position.offset);
    this.checkedAt = now;
    return mended;
  }
}
