import type { LedgerRecord } from '@cdr/core/ledger-record';
import type { ProducerRange } from '@cdr/kafka/committed-counter';

/** An entry's ranges, each with whose batches are meant: the entry's own producer's where a range names none. */
export function producerRangesOf({ ranges, producerId, epoch }: LedgerRecord): ProducerRange[] {
  return ranges.map((range) => ({
    ...range,
    producerId: range.producerId ?? producerId,
    epoch: range.epoch ?? epoch,
  }));
}
