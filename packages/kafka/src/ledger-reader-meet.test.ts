import { describe, expect, it } from 'vitest';
import { LedgerLog } from './testing/ledger-log.ts';
import {
  A,
  B,
  C,
  codeOf,
  heldBack,
  other,
  OURS,
  ours,
  readerOf,
  readTail,
  unreadable,
  X,
  Y,
} from './testing/ledger-reading.ts';

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
