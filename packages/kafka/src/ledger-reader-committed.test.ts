import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import { describe, expect, it } from 'vitest';
import { LedgerLog } from './testing/ledger-log.ts';
import {
  A,
  B,
  collect,
  entriesOf,
  OTHER,
  other,
  OURS,
  ours,
  readerOf,
  unreadable,
  X,
} from './testing/ledger-reading.ts';

describe('reading what is decided of all files', () => {
  it('gives the newest of each file, and the position behind it', async () => {
    const log = new LedgerLog();
    log.append(A, ours(1));
    log.append(A, ours(2));
    log.commit(A);
    log.append(X, other());
    log.commit(X);
    const stretches = await collect(log);
    expect(entriesOf(stretches)).toEqual([
      [1, OURS],
      [3, OTHER],
    ]);
    expect(stretches.at(-1)).toMatchObject({ position: 5n, lastStableOffset: 5n });
  });

  it('gives nothing where nothing is new', async () => {
    const log = new LedgerLog();
    expect(await collect(log)).toEqual([]);
    log.append(A, ours(1));
    log.commit(A);
    expect(await collect(log, 2)).toEqual([]);
    log.append(X, other());
    log.append(A, ours(2));
    log.commit(A);
    expect(await collect(log, 2)).toEqual([]);
  });

  it('never goes beyond the last stable offset, though it knows what is committed there', async () => {
    const log = new LedgerLog();
    log.append(A, ours(1));
    log.commit(A);
    log.append(X, other());
    log.append(A, ours(2));
    log.commit(A);
    for (const ignoresIsolation of [false, true]) {
      log.ignoresIsolation = ignoresIsolation;
      const stretches = await collect(log);
      expect(entriesOf(stretches)).toEqual([[0, OURS]]);
      expect(stretches.at(-1)?.position).toBe(2n);
    }
  });

  it('begins within a batch', async () => {
    const log = new LedgerLog();
    log.appendPlain(other(), ours(), aLedgerRecord({ file: 'third.csv' }));
    expect(entriesOf(await collect(log, 1)).map(([offset]) => offset)).toEqual([1, 2]);
  });

  it('hides what was aborted', async () => {
    const log = new LedgerLog();
    log.append(A, ours(1));
    log.append(X, other());
    log.abort(A);
    log.abort(X);
    log.append(A, ours(2));
    log.abort(A);
    const kept = log.append(A, ours(3));
    log.commit(A);
    expect(entriesOf(await collect(log))).toEqual([[kept, OURS]]);
  });

  it('names what is unreadable, and goes on', async () => {
    const log = new LedgerLog();
    log.append(B, unreadable);
    log.commit(B);
    log.append(B, { file: OTHER, text: null });
    log.abort(B);
    log.append(X, other());
    log.commit(X);
    const stretches = await collect(log);
    expect(entriesOf(stretches)).toEqual([[4, OTHER]]);
    expect(stretches.flatMap((stretch) => stretch.unreadable)).toMatchObject([{ file: OURS, offset: 0n }]);
  });

  it('moves over what compaction left empty, up to the last stable offset', async () => {
    const log = new LedgerLog();
    log.hole(3);
    const old = log.append(A, ours(1));
    log.commit(A);
    log.compact(old, 'empty-batch');
    log.hole(2);
    expect((await collect(log)).at(-1)).toMatchObject({ entries: [], position: 7n });
    expect((await collect(log, 5)).at(-1)).toMatchObject({ entries: [], position: 7n });
  });

  it('comes in stretches where answers are cut short, none of which overlap', async () => {
    const log = new LedgerLog();
    log.answerMaxBytes = 1_000;
    for (let round = 0; round < 20; round++) {
      log.append(X, aLedgerRecord({ file: `${round}.csv` }));
      log.commit(X);
    }
    const stretches = await collect(log);
    expect(stretches.length).toBeGreaterThan(10);
    expect(entriesOf(stretches).map(([offset]) => offset)).toEqual(Array.from({ length: 20 }, (_, round) => round * 2));
    expect(stretches.at(-1)?.position).toBe(40n);
  });

  it('tells where the log begins', async () => {
    const log = new LedgerLog();
    log.startOffset = 42;
    expect(await readerOf(log).start()).toBe(42n);
  });
});
