import { catchUpProjection } from './catch-up-projection.ts';
import type { LedgerParts } from './ledger-parts.ts';

/** A tail of this many offsets costs about as much to read as everything else that a small file asks of Kafka. */
const LONG_TAIL = 256n;

/**
 * Moves the projection on when the tail that every attempt has to read has become long: between two scans a busy worker
 * commits more files than that, and each would read all of its predecessors' records. One catch-up at a time in a process.
 */
export class KeepUp {
  private readonly parts: Pick<LedgerParts, 'projection' | 'ledgerReader' | 'ledger'>;
  private running = false;

  constructor(parts: Pick<LedgerParts, 'projection' | 'ledgerReader' | 'ledger'>) {
    this.parts = parts;
  }

  /** Told after each look how far the projection was behind. Does its work in the background; never throws. */
  behindBy(offsets: bigint): void {
    if (offsets < LONG_TAIL || this.running) return;
    this.running = true;
    const { projection, ledgerReader, ledger } = this.parts;
    catchUpProjection(projection, ledgerReader, ledger())
      // whatever keeps it from catching up keeps the attempts and the scanner from working too, and they report it
      .catch(() => undefined)
      .finally(() => {
        this.running = false;
      });
  }
}
