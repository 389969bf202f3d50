import { errorCodeOf } from '@cdr/core/errors';
import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import { describe, expect, it } from 'vitest';
import { LedgerReader, type LedgerStretch, type TailAnswer } from './ledger-reader.ts';
import { LedgerLog } from './testing/ledger-log.ts';

const OURS = 'ours.csv';
const OTHER = 'other.csv';
// producers of our file, one life after the other, and of other files
const [A, B, C] = [10, 11, 12];
const [X, Y] = [20, 21];

const ours = (generation = 1) => aLedgerRecord({ file: OURS, generation });
const other = (generation = 1) => aLedgerRecord({ file: OTHER, generation });
const unreadable = { file: OURS, text: '{"v":2}' };

/** Waits for no leader to learn how far the log goes. */
const readerOf = (log: LedgerLog) => new LedgerReader(log, 'cdr-ledger', 0);
const readTail = (log: LedgerLog, from = 0): Promise<TailAnswer> => readerOf(log).readTail(OURS, BigInt(from));

/** The offset of what the tail says, or undefined. */
async function newestOf(log: LedgerLog, from = 0): Promise<number | undefined> {
  const { entry } = await readTail(log, from);
  return entry && Number(entry.offset);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => errorCodeOf(error),
  );
}

/** A log in which another file's transaction holds the last stable offset at 0. */
function heldBack(): LedgerLog {
  const log = new LedgerLog();
  log.append(X, other());
  return log;
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

describe('meeting yourself', () => {
  /** Reads the tail, lets things happen, writes our own record and goes to meet it. */
  async function meet(
    log: LedgerLog,
    inBetween: () => void,
    afterwards: () => void = () => undefined,
  ): Promise<string> {
    const { barrier, undecided } = await readTail(log);
    inBetween();
    const offset = BigInt(log.append(C, ours(2)));
    afterwards();
    const own = { offset, producerId: String(C), epoch: 0 };
    return codeOf(readerOf(log).meetYourself(OURS, barrier, undecided, own));
  }

  it('is well when only others were about', async () => {
    for (const answerMaxBytes of [1, 900, Number.MAX_SAFE_INTEGER]) {
      const log = heldBack();
      log.answerMaxBytes = answerMaxBytes;
      log.append(A, ours());
      log.commit(A);
      log.append(B, ours());
      expect(
        await meet(log, () => {
          log.append(Y, other());
          log.commit(Y);
          log.abort(X);
          log.abort(B);
          log.append(B, ours());
          log.abort(B);
          log.hole(2);
        }),
      ).toBe('no error');
    }
  });

  it('is well a second time, behind the commit of our own first part', async () => {
    const log = heldBack();
    expect(await meet(log, () => undefined)).toBe('no error');
    const readTo = BigInt(log.end);
    log.commit(C);
    const offset = BigInt(log.append(C, ours(2)));
    const own = { offset, producerId: String(C), epoch: 0 };
    expect(await codeOf(readerOf(log).meetYourself(OURS, readTo, new Map(), own))).toBe('no error');
  });

  it('fails when a record of this file was written and committed in between', async () => {
    const log = heldBack();
    const committedByB = () => {
      log.append(B, ours());
      log.append(Y, other());
      log.commit(B);
    };
    expect(await meet(log, committedByB)).toBe('ledger-moved');
  });

  it('fails when that record is one that we cannot read', async () => {
    const log = heldBack();
    const committedByB = () => {
      log.append(B, unreadable);
      log.commit(B);
    };
    expect(await meet(log, committedByB)).toBe('ledger-moved');
  });

  it('fails when a record from before is committed in between', async () => {
    for (const record of [ours(), unreadable]) {
      const log = heldBack();
      log.append(B, record);
      expect(await meet(log, () => log.commit(B))).toBe('ledger-moved');
    }
  });

  it('is well when a record from before is aborted in between, or never decided', async () => {
    const log = heldBack();
    log.append(B, ours());
    expect(await meet(log, () => log.abort(B))).toBe('no error');
    const open = heldBack();
    open.append(B, ours());
    expect(await meet(open, () => undefined)).toBe('no error');
  });

  it('fails when our own transaction was ended behind our back', async () => {
    for (const end of ['abort', 'commit'] as const) {
      const log = new LedgerLog();
      expect(
        await meet(
          log,
          () => undefined,
          () => log[end](C),
        ),
      ).toBe('ledger-moved');
    }
  });

  it("fails when what stands at our offset is another's", async () => {
    const log = new LedgerLog();
    const { barrier, undecided } = await readTail(log);
    const offset = BigInt(log.append(B, ours(2)));
    const own = { offset, producerId: String(C), epoch: 0 };
    expect(await codeOf(readerOf(log).meetYourself(OURS, barrier, undecided, own))).toBe('ledger-moved');
  });

  it('fails when our own record is not there, or not any more', async () => {
    const log = new LedgerLog();
    log.append(X, other());
    const own = (offset: number) => ({ offset: BigInt(offset), producerId: String(C), epoch: 0 });
    const reader = readerOf(log);
    expect(await codeOf(reader.meetYourself(OURS, 0n, new Map(), own(1)))).toBe('ledger-moved');
    expect(await codeOf(reader.meetYourself(OURS, 5n, new Map(), own(9)))).toBe('ledger-moved');
    expect(await codeOf(reader.meetYourself(OURS, 1n, new Map(), own(0)))).toBe('ledger-moved');
    log.append(C, ours(2));
    expect(await codeOf(reader.meetYourself(OURS, 0n, new Map(), own(0)))).toBe('ledger-moved');
    expect(await codeOf(reader.meetYourself(OURS, 0n, new Map(), own(1)))).toBe('no error');
  });
});

async function collect(log: LedgerLog, from = 0): Promise<LedgerStretch[]> {
  const stretches: LedgerStretch[] = [];
  for await (const stretch of readerOf(log).readCommitted(BigInt(from))) stretches.push(stretch);
  return stretches;
}

const entriesOf = (stretches: LedgerStretch[]) =>
  stretches.flatMap(({ entries }) => entries.map(({ offset, record }) => [Number(offset), record.file]));

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
