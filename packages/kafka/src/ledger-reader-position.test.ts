import { describe, expect, it } from 'vitest';
import { LedgerReader } from './ledger-reader.ts';
import { LedgerLog } from './testing/ledger-log.ts';
import { A, codeOf, collect, heldBack, OURS, ours, readTail } from './testing/ledger-reading.ts';

describe('a leader that has only begun to lead', () => {
  /** Two entries of ours, of which the first answers do not know the second. */
  function behind(): LedgerLog {
    const log = new LedgerLog();
    log.append(A, ours());
    log.commit(A);
    log.highWatermark = log.end;
    log.append(A, ours(2));
    log.commit(A);
    log.onFetch = (count) => {
      if (count === 3) log.highWatermark = undefined;
    };
    return log;
  }

  it('is asked again until it knows as much of the log as was read before', async () => {
    const log = behind();
    const reader = new LedgerReader(log, 'cdr-ledger', 10_000);
    const tail = await reader.readTail(OURS, 4n);
    expect([tail.barrier, log.fetches.length]).toEqual([4n, 3]);
    const again = behind();
    const stretches = await Array.fromAsync(new LedgerReader(again, 'cdr-ledger', 10_000).readCommitted(4n));
    expect([stretches, again.fetches.length]).toEqual([[], 3]);
  });

  it('is not believed to know less for ever', async () => {
    const log = behind();
    log.onFetch = () => undefined;
    const reader = new LedgerReader(log, 'cdr-ledger', 200);
    expect(await codeOf(reader.readTail(OURS, 4n))).toBe('ledger-moved');
    expect(log.fetches.length).toBeGreaterThan(2);
  });
});

describe('a position that is not within the log', () => {
  it.each([
    ['beyond its end', 4],
    ['beyond the high watermark, where replicas are behind', 3],
    ['before its start', 0],
  ])('%s is ledger-moved', async (_, from) => {
    const log = new LedgerLog();
    log.append(A, ours());
    log.commit(A);
    log.hole(1);
    log.highWatermark = 2;
    log.startOffset = 1;
    expect(await codeOf(readTail(log, from))).toBe('ledger-moved');
    expect(await codeOf(collect(log, from))).toBe('ledger-moved');
  });

  it('shows while reading on, when a deposed leader answers', async () => {
    const log = heldBack();
    log.append(A, ours());
    log.commit(A);
    log.onFetch = (count) => (log.highWatermark = count === 1 ? 3 : 1);
    log.answerMaxBytes = 1;
    expect(await codeOf(readTail(log))).toBe('ledger-moved');
  });
});
