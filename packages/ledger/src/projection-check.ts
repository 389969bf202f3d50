import type { LedgerReader, TextStretch } from '@cdr/kafka/ledger-reader';
import { sameLedger, type LedgerIdentity, type LedgerProjection } from '@cdr/queue/ledger-projection';

const EVERY_MS = 3_600_000;

/** What it needs of the projection, and of the ledger. */
export type Compared = Pick<LedgerProjection, 'position' | 'mend' | 'forgetOthers'>;
type Read = Pick<LedgerReader, 'start' | 'readTexts'>;

/**
 * Compares the whole projection with the ledger and lets the ledger win: once after a start and then every hour. Below its
 * position the projection is believed, so that somebody who changed it by hand, or a Redis that lost a part of a hash,
 * would make a file be forgotten or ingested twice.
 */
export class ProjectionCheck {
  private readonly projection: Compared;
  private readonly reader: Read;
  private readonly everyMs: number;
  private checkedAt: number | undefined;

  constructor(projection: Compared, reader: Read, everyMs = EVERY_MS) {
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
    const start = await this.reader.start();
    const newest = new Map<string, number>();
    let readTo = start;
    for await (const { texts, position: end } of this.read(start, position.offset)) {
      for (const { file, offset } of texts) newest.set(file, Number(offset));
      readTo = end;
    }
    // told by a broker that does not have all of it: whoever went by that would forget the rest
    if (readTo < position.offset) return [];
    // once more, rather than to keep in memory what all the records say
    let mended: string[] = [];
    let present = 0;
    readTo = start;
    for await (const { texts, position: end } of this.read(start, position.offset)) {
      readTo = end;
      const done = await this.projection.mend(
        texts.filter(({ file, offset }) => newest.get(file) === Number(offset)),
        position.offset,
      );
      mended = mended.concat(done.mended);
      present += done.present;
    }
    if (readTo < position.offset) return mended;
    const forgotten = await this.projection.forgetOthers(newest, present, position.offset);
    this.checkedAt = now;
    return mended.concat(forgotten);
  }

  /** The ledger from an offset on, to the stretch that has the other one. */
  private async *read(from: bigint, to: bigint): AsyncGenerator<TextStretch> {
    for await (const stretch of this.reader.readTexts(from)) {
      yield stretch;
      if (stretch.position >= to) return;
    }
  }
}
