import { describe, expect, it } from 'vitest';
import type { LedgerRecord } from './ledger-record.ts';
import { planAttempt } from './plan-attempt.ts';
import { aLedgerRecord } from './testing/ledger-record.ts';

const FILE = { size: 100, mtimeMs: 5_000 };
const LARGER = { size: 101, mtimeMs: 5_000 };
const TOUCHED = { size: 100, mtimeMs: 6_000 };

const entry = (different: Partial<LedgerRecord> = {}) => aLedgerRecord({ ...FILE, generation: 3, ...different });
const changed = { ...LARGER, sha256: 'cd'.repeat(32), seenAt: '2024-12-07T15:00:00.000Z' };
const requested = { generation: 4, by: 'ops', reason: 'x', at: '2024-12-07T15:00:00.000Z' };

const STATES = ['partial', 'committed', 'adopted'] as const;

describe('where an attempt begins', () => {
  it('at the first byte, when the ledger knows nothing', () => {
    expect(planAttempt(undefined, { generation: 1 }, FILE)).toEqual({ kind: 'from-start', generation: 1 });
    expect(planAttempt(undefined, { generation: 7 }, FILE)).toEqual({ kind: 'from-start', generation: 7 });
  });

  it.each(STATES)('at the first byte, when the ledger has an older generation: %s', (state) => {
    for (const file of [FILE, LARGER])
      for (const record of [entry({ state }), entry({ state, requested }), entry({ state, changed })])
        expect(planAttempt(record, { generation: 4 }, file)).toEqual({ kind: 'from-start', generation: 4 });
  });

  it.each(STATES)('nowhere, when the ledger has a newer generation: %s', (state) => {
    for (const file of [FILE, LARGER])
      expect(planAttempt(entry({ state }), { generation: 2 }, file)).toEqual({ kind: 'done', because: 'superseded' });
  });

  it.each<[LedgerRecord['state'], Partial<LedgerRecord>, typeof FILE, string]>([
    ['committed', {}, FILE, 'done'],
    ['committed', {}, LARGER, 'continue'],
    ['committed', {}, TOUCHED, 'continue'],
    ['committed', { changed }, FILE, 'done'],
    ['committed', { changed }, LARGER, 'done'],
    ['committed', { changed }, TOUCHED, 'continue'],
    ['committed', { requested }, FILE, 'done'],
    ['adopted', {}, FILE, 'done'],
    ['adopted', {}, LARGER, 'adopted'],
    ['adopted', {}, TOUCHED, 'adopted'],
    ['adopted', { changed }, LARGER, 'done'],
    ['adopted', { changed }, TOUCHED, 'adopted'],
    ['partial', {}, FILE, 'continue'],
    ['partial', {}, LARGER, 'continue'],
    ['partial', { changed }, LARGER, 'continue'],
  ])('the same generation is %s %j, the file is %j: %s', (state, different, file, kind) => {
    const record = entry({ state, ...different });
    const plan = planAttempt(record, { generation: 3 }, file);
    expect(plan).toEqual(kind === 'done' ? { kind, because: 'committed' } : { kind, generation: 3, base: record });
  });
});
