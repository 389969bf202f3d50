import { describe, expect, it } from 'vitest';
import { countCommitted, type CountedLog, type ProducerRange } from './committed-counter.ts';
import { LedgerLog } from './testing/ledger-log.ts';

const TOPIC = 'cdr-data';
const row = { file: '+27821234567', text: '{}' };

const range = (producerId: number, first: number, last: number, more: Partial<ProducerRange> = {}): ProducerRange => ({
  topic: TOPIC,
  partition: 0,
  first: String(first),
  last: String(last),
  producerId: String(producerId),
  epoch: 0,
  ...more,
});

/** Appends rows, one a batch, to a producer's transaction; gives the offsets of the first and last. */
function rows(log: LedgerLog, producer: number, count: number): [number, number] {
  const offsets = Array.from({ length: count }, () => log.append(producer, row));
  return [offsets[0] as number, offsets.at(-1) as number];
}

describe('counting committed records', () => {
  it('counts the batches of the range and its producer, whoever wrote in between', async () => {
    const log = new LedgerLog();
    const first = log.append(1, row);
    rows(log, 2, 3);
    const last = log.append(1, row);
    log.commit(1);
    log.commit(2);
    expect(await countCommitted(log, [range(1, first, last), range(2, first, last)])).toEqual([
      { records: 2, state: 'whole' },
      { records: 3, state: 'whole' },
    ]);
  });

  it('counts nothing of an aborted transaction, nor of another epoch', async () => {
    const log = new LedgerLog();
    const aborted = rows(log, 1, 4);
    log.abort(1);
    const again = rows(log, 1, 2);
    log.commit(1);
    expect(
      await countCommitted(log, [range(1, ...aborted), range(1, ...again), range(1, ...again, { epoch: 1 })]),
    ).toEqual([
      { records: 0, state: 'whole' },
      { records: 2, state: 'whole' },
      { records: 0, state: 'whole' },
    ]);
  });

  it('does not take what the same producer wrote outside of the range', async () => {
    const log = new LedgerLog();
    rows(log, 1, 3);
    log.commit(1);
    const second = rows(log, 1, 5);
    log.commit(1);
    rows(log, 1, 7);
    log.commit(1);
    expect(await countCommitted(log, [range(1, ...second)])).toEqual([{ records: 5, state: 'whole' }]);
  });

  it('reads each stretch once, skips what nobody asks for, and needs no order', async () => {
    const log = new LedgerLog();
    const ranges: [number, number][] = [];
    for (let i = 0; i < 20; i++) {
      ranges.push(rows(log, i, 10));
      log.commit(i);
    }
    log.answerMaxBytes = 300;
    const asked = [17, 3].map((i) => range(i, ...(ranges[i] as [number, number])));
    const progress: number[] = [];
    const counts = await countCommitted(log, asked, { onProgress: (counted) => progress.push(counted) });
    expect(counts.map(({ records }) => records)).toEqual([10, 10]);
    expect(progress).toEqual([1, 2]);
    const offsets = log.fetches.map(({ offset }) => offset);
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
    const inside = (offset: number): boolean =>
      asked.some(({ first, last }) => offset >= Number(first) && offset <= Number(last) + 1);
    expect(offsets.filter((offset) => !inside(offset))).toEqual([]);
    expect(log.fetches.every(({ committed }) => committed)).toBe(true);
  });

  it('says when the beginning of a range has expired', async () => {
    const log = new LedgerLog();
    const gone = rows(log, 1, 5);
    log.commit(1);
    const cut = rows(log, 2, 5);
    log.commit(2);
    const there = rows(log, 3, 5);
    log.commit(3);
    log.startOffset = cut[0] + 2;
    expect(await countCommitted(log, [range(1, ...gone), range(2, ...cut), range(3, ...there)])).toEqual([
      { records: 0, state: 'expired' },
      { records: 3, state: 'expired' },
      { records: 5, state: 'whole' },
    ]);
  });

  it('goes on behind the start when retention moves it meanwhile', async () => {
    const log = new LedgerLog();
    const gone = rows(log, 1, 5);
    log.commit(1);
    const there = rows(log, 2, 5);
    log.commit(2);
    log.onFetch = (count) => {
      if (count === 1) log.startOffset = there[0];
    };
    expect(await countCommitted(log, [range(1, ...gone), range(2, ...there)])).toEqual([
      { records: 0, state: 'expired' },
      { records: 5, state: 'whole' },
    ]);
  });

  it('waits for an open transaction that hides a range, for as long as it may', async () => {
    const log = new LedgerLog();
    rows(log, 9, 1);
    const hidden = rows(log, 1, 5);
    log.commit(1);
    expect(await countCommitted(log, [range(1, ...hidden)])).toEqual([{ records: 0, state: 'held-back' }]);
    log.onFetch = (count) => {
      if (count === 4) log.commit(9);
    };
    expect(await countCommitted(log, [range(1, ...hidden)], { waitMs: 30_000 })).toEqual([
      { records: 5, state: 'whole' },
    ]);
  });

  it('says when the log ends before the range: it is another log by now', async () => {
    const log = new LedgerLog();
    const there = rows(log, 1, 5);
    log.commit(1);
    const counts = await countCommitted(log, [
      range(1, ...there),
      range(1, there[0], there[1] + 9),
      range(1, 500, 600),
    ]);
    expect(counts.map(({ state }) => state)).toEqual(['whole', 'beyond-end', 'beyond-end']);
  });

  it('survives compacted stretches and stray markers', async () => {
    const log = new LedgerLog();
    const first = log.append(1, row);
    const removed = log.append(1, row);
    log.hole(10);
    log.strayMarker(5, 'abort');
    const last = log.append(1, row);
    log.commit(1);
    log.compact(removed, 'nothing');
    expect(await countCommitted(log, [range(1, first, last)])).toEqual([{ records: 2, state: 'whole' }]);
  });

  it('keeps partitions apart', async () => {
    const logs = [new LedgerLog(), new LedgerLog()];
    const asked = logs.map((log, partition) => {
      const written = rows(log, 1, partition + 1);
      log.commit(1);
      return range(1, ...written, { partition });
    });
    const log: CountedLog = {
      askLeader: (target, call) => (logs[target.partition] as LedgerLog).askLeader(target, call),
      earliestOffset: (target) => (logs[target.partition] as LedgerLog).earliestOffset(),
    };
    expect((await countCommitted(log, asked)).map(({ records }) => records)).toEqual([1, 2]);
  });
});
