import { readMarker, type FetchedBatch } from './record-batch-reader.ts';
import type { AbortedTransaction } from './requests.ts';

/**
 * Which batches of one read_committed answer belong to aborted transactions. The broker's list is not sorted, and a
 * producer may have aborted more than once within one answer.
 */
export class AbortedFilter {
  private readonly upcoming: AbortedTransaction[];
  private readonly active = new Set<bigint>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.upcoming = [...aborted].sort((a, b) =>
      a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0,
    );
  }

  /** Batches in log order, markers too. True for a batch of an aborted transaction. */
  drops(batch: FetchedBatch): boolean {
    while (this.upcoming[0] && this.upcoming[0].firstOffset <= batch.lastOffset)
      this.active.add((this.upcoming.shift() as AbortedTransaction).producerId);
    if (batch.control) {
      if (readMarker(batch) === 'abort') this.active.delete(batch.producerId);
      return true;
    }
    return batch.transactional && this.active.has(batch.producerId);
  }
}
