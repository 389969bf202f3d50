import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import { describe, expect, it } from 'vitest';
import { LedgerLog } from './testing/ledger-log.ts';
import {
  A,
  B,
  C,
  codeOf,
  collect,
  entriesOf,
  heldBack,
  OTHER,
  other,
  OURS,
  ours,
  readTail,
  unreadable,
  X,
  Y,
} from './testing/ledger-reading.ts';

/** The offset of what the tail says, or undefined. */
async function newestOf(log: LedgerLog, from = 0): Promise<number | undefined> {
  const { entry } = await readTail(log, from);
  return entry && Number(entry.offset);
}

describe('the tail of one file', () => {
  it('of an empty log is nothing', async () => {
    expect(await readTail(new LedgerLog())).toEqual({ entry: undefined, barrier: 0n, undecided: new Map() });
  });

  it('is its newest committed record, whole', async () => {
    const log = new LedgerLog();
    log.append(A, ours(1));
    log.commit(A);
    log.append(X, other(9));
    log.commit(X);
    log.append(A, ours(2));
    log.commit(A);
    const { entry, barrier, undecided } = await readTail(log);
    expect(entry).toEqual({ offset: 4n, record: ours(2) });
    expect(barrier).toBe(6n);
    expect(undecided.size).toBe(0);
  });

  it('finds what was committed above the last stable offset, while another file is open below', async () => {
    const log = heldBack();
    const offset = log.append(A, ours());
    log.commit(A);
    expect(log.lastStableOffset).toBe(0);
    expect(await newestOf(log)).toBe(offset);
  });

  it('finds it when the reading begins exactly at the last stable offset, as a projection that caught up does', async () => {
    const log = new LedgerLog();
    log.append(Y, other());
    log.commit(Y);
    const from = log.append(X, other());
    const offset = log.append(A, ours());
    log.commit(A);
    expect(log.lastStableOffset).toBe(from);
    expect(await newestOf(log, from)).toBe(offset);
  });

  it('finds it below the last stable offset, when its marker is above', async () => {
    const log = new LedgerLog();
    const offset = log.append(A, ours());
    log.append(X, other());
    log.commit(A);
    expect(log.lastStableOffset).toBe(1);
    expect(await newestOf(log)).toBe(offset);
  });

  it('leaves out an aborted record above the last stable offset', async () => {
    const log = heldBack();
    const kept = log.append(A, ours(1));
    log.commit(A);
    log.append(A, ours(2));
    log.abort(A);
    expect(await newestOf(log)).toBe(kept);
  });

  it('leaves out an aborted record below the last stable offset', async () => {
    const log = new LedgerLog();
    const kept = log.append(A, ours(1));
    log.commit(A);
    log.append(A, ours(2));
    log.abort(A);
    expect(log.lastStableOffset).toBe(log.end);
    expect(await newestOf(log)).toBe(kept);
  });

  it('leaves out an aborted record below the last stable offset, when its marker is above', async () => {
    const log = new LedgerLog();
    log.append(A, ours());
    log.append(X, other());
    log.abort(A);
    expect(log.lastStableOffset).toBe(1);
    expect(await newestOf(log)).toBeUndefined();
  });

  it('takes what a producer commits behind two transactions that it aborted', async () => {
    const log = new LedgerLog();
    log.append(A, ours(1));
    log.abort(A);
    log.append(A, ours(2));
    log.abort(A);
    const kept = log.append(A, ours(3));
    log.commit(A);
    expect(await newestOf(log)).toBe(kept);
    log.append(A, ours(4));
    log.abort(A);
    expect(await newestOf(log)).toBe(kept);
  });

  it('leaves out what a transaction writes behind the abort of another one', async () => {
    const log = new LedgerLog();
    log.append(A, ours(1));
    log.append(X, other());
    log.abort(X);
    log.append(A, ours(2));
    log.abort(A);
    expect(await newestOf(log)).toBeUndefined();
    expect(entriesOf(await collect(log))).toEqual([]);
  });

  it('is right whatever the order of the list of aborted transactions', async () => {
    const log = new LedgerLog();
    // enough of them that the fake's order, which follows no rule, differs from the log's
    for (let round = 0; round < 8; round++) {
      for (const producer of [X, Y, A]) log.append(producer, producer === A ? ours(round + 1) : other());
      for (const producer of [A, Y, X]) log.abort(producer);
      log.append(Y, other());
      log.commit(Y);
    }
    expect(await newestOf(log)).toBeUndefined();
    const kept = log.append(A, ours(99));
    log.commit(A);
    log.append(X, other());
    log.abort(X);
    expect(await newestOf(log)).toBe(kept);
  });

  it('leaves out what is not decided, and hands it on', async () => {
    const log = new LedgerLog();
    const kept = log.append(A, ours(1));
    log.commit(A);
    const open = log.append(B, ours(2));
    log.append(X, other());
    const { entry, undecided } = await readTail(log);
    expect(entry?.offset).toBe(BigInt(kept));
    expect([...undecided].map(([producer, { offset }]) => [producer, offset])).toEqual([[BigInt(B), BigInt(open)]]);
  });

  it('counts a record outside of any transaction, wherever it is', async () => {
    const log = heldBack();
    log.appendPlain(ours(1), other(), ours(2), other());
    expect(await newestOf(log)).toBe(3);
    expect(await newestOf(log, 4)).toBeUndefined();
  });

  it('knows a key by all of its bytes', async () => {
    const log = new LedgerLog();
    for (const file of [`${OURS}.gz`, 'urs.csv', 'OURS.CSV', ` ${OURS}`]) log.append(X, aLedgerRecord({ file }));
    log.commit(X);
    expect(await newestOf(log)).toBeUndefined();
  });

  it('begins within a batch', async () => {
    const log = new LedgerLog();
    log.appendPlain(ours(1), ours(2), other());
    expect(await newestOf(log, 1)).toBe(1);
    expect(await newestOf(log, 2)).toBeUndefined();
  });

  it('is put together from answers that are cut short', async () => {
    for (const answerMaxBytes of [1, 500, 1_500, 3_000]) {
      const log = new LedgerLog();
      log.answerMaxBytes = answerMaxBytes;
      const first = log.append(A, ours(1));
      log.append(X, other());
      log.append(Y, other());
      log.commit(Y);
      log.commit(A);
      expect(await newestOf(log), `${answerMaxBytes}`).toBe(first);
      log.append(B, ours(2));
      log.append(Y, other());
      log.abort(Y);
      log.abort(B);
      expect(await newestOf(log), `${answerMaxBytes}`).toBe(first);
      const last = log.append(B, ours(3));
      log.commit(B);
      expect(await newestOf(log), `${answerMaxBytes}`).toBe(last);
    }
  });

  it('jumps over what compaction took', async () => {
    const log = new LedgerLog();
    log.hole(3);
    const old = log.append(A, ours(1));
    log.commit(A);
    log.hole(2);
    const aborted = log.append(A, ours(2));
    log.abort(A);
    const kept = log.append(A, ours(3));
    log.commit(A);
    log.hole(4);
    log.compact(old, 'empty-batch');
    log.compact(aborted, 'nothing');
    log.strayMarker(A, 'empty');
    log.hole(1);
    for (const from of [0, 1, 3, 4, 6, kept]) expect(await newestOf(log, from), `${from}`).toBe(kept);
    expect(await newestOf(log, kept + 1)).toBeUndefined();
    log.append(X, other());
    const above = log.append(B, ours(4));
    log.hole(1);
    log.commit(B);
    log.hole(2);
    for (const from of [0, kept + 1, above - 1]) expect(await newestOf(log, from), `${from}`).toBe(above);
  });

  it('needs no marker below the last stable offset, where compaction may have taken it', async () => {
    const log = new LedgerLog();
    log.answerMaxBytes = 1;
    log.append(X, other());
    log.commit(X);
    const kept = log.append(A, ours(1));
    log.compact(log.commit(A), 'nothing');
    expect(await newestOf(log)).toBe(kept);
  });

  it('ends where nothing is left below the high watermark', async () => {
    const log = new LedgerLog();
    log.hole(5);
    expect(await readTail(log)).toMatchObject({ entry: undefined, barrier: 5n });
    log.append(X, other());
    log.hole(5);
    expect(await readTail(log)).toMatchObject({ entry: undefined, barrier: 11n });
  });

  it('ends at the first high watermark that it was told', async () => {
    const log = heldBack();
    log.append(A, ours(1));
    log.commit(A);
    log.answerMaxBytes = 1;
    // somebody writes as fast as we read
    log.onFetch = () => log.append(Y, other());
    const { barrier, entry } = await readTail(log);
    expect(entry?.offset).toBe(1n);
    expect(barrier).toBe(4n);
    expect(log.fetches.length).toBeLessThan(10);
  });

  it('does not count a marker that is not replicated', async () => {
    const log = heldBack();
    log.append(A, ours(1));
    log.highWatermark = log.end;
    log.commit(A);
    const { entry, barrier, undecided } = await readTail(log);
    expect({ entry, barrier, undecided: undecided.size }).toEqual({ entry: undefined, barrier: 2n, undecided: 1 });
  });

  it('is not what a marker of another kind says', async () => {
    for (const type of ['empty', 2, 7] as const) {
      const log = heldBack();
      log.append(A, ours(1));
      log.strayMarker(A, type);
      expect(await newestOf(log)).toBeUndefined();
    }
  });

  it.each([
    ['below the last stable offset', () => new LedgerLog()],
    ['above it', heldBack],
  ])('refuses to say anything when the newest is unreadable %s', async (_, begin) => {
    const log = begin();
    log.append(A, ours(1));
    log.commit(A);
    const bad = log.append(B, unreadable);
    log.commit(B);
    const asked = readTail(log);
    expect(await codeOf(asked)).toBe('bad-ledger-record');
    await expect(asked).rejects.toThrow(`${OURS} at offset ${bad} is not readable: version 2`);
    log.append(B, ours(3));
    log.abort(B);
    expect(await codeOf(readTail(log))).toBe('bad-ledger-record');
    const later = log.append(C, ours(4));
    log.commit(C);
    expect(await newestOf(log)).toBe(later);
  });

  it('does not mind an unreadable record that is aborted, open, or of another file', async () => {
    for (const begin of [() => new LedgerLog(), heldBack]) {
      const log = begin();
      log.append(Y, { file: OTHER, text: null });
      log.commit(Y);
      log.append(B, unreadable);
      log.abort(B);
      log.append(C, unreadable);
      expect(await newestOf(log)).toBeUndefined();
    }
  });

  it('counts a record without a value as unreadable', async () => {
    const log = new LedgerLog();
    log.append(A, { file: OURS, text: null });
    log.commit(A);
    expect(await codeOf(readTail(log))).toBe('bad-ledger-record');
  });

  it('goes by offsets, not by the order in which transactions end', async () => {
    const log = heldBack();
    log.append(B, unreadable);
    const newer = log.append(A, ours(2));
    log.commit(A);
    log.commit(B);
    expect(await newestOf(log)).toBe(newer);
    log.append(C, unreadable);
    log.append(A, ours(3));
    log.append(B, unreadable);
    log.commit(B);
    log.commit(C);
    expect(await codeOf(readTail(log))).toBe('bad-ledger-record');
  });
});
