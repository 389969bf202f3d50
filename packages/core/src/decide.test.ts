import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, isRequested, sameIdentity, type ChangedFilesPolicy, type Decision } from './decide.ts';
import type { LedgerRecord } from './ledger-record.ts';
import { planAttempt } from './plan-attempt.ts';
import { aLedgerRecord } from './testing/ledger-record.ts';

const FILE = { size: 100, mtimeMs: 5_000 };
const LARGER = { size: 101, mtimeMs: 5_000 };
const SMALLER = { size: 99, mtimeMs: 5_000 };
const TOUCHED = { size: 100, mtimeMs: 6_000 };
const OLDER = { size: 100, mtimeMs: 4_000 };
const OTHERS = [LARGER, SMALLER, TOUCHED, OLDER, { size: 0, mtimeMs: 0 }];

const entry = (different: Partial<LedgerRecord> = {}) => aLedgerRecord({ ...FILE, generation: 3, ...different });
const requested = (generation: number) => ({ generation, by: 'ops', reason: 'x', at: '2024-12-07T15:00:00.000Z' });
const changed = (file: typeof FILE) => ({ ...file, sha256: 'cd'.repeat(32), seenAt: '2024-12-07T15:00:00.000Z' });

const ingest = (generation: number): Decision => ({ action: 'ingest', generation });
const look: Decision = { action: 'look', generation: 3 };
const ingested: Decision = { action: 'nothing', because: 'ingested' };
const isChanged: Decision = { action: 'nothing', because: 'changed' };

describe('what a scan does about a file', () => {
  // what the ledger says, the files, the decision, and the one under `reingest` where it differs
  it.each<[string, LedgerRecord | undefined, (typeof FILE)[], Decision, Decision?]>([
    ['nothing', undefined, [FILE, ...OTHERS], ingest(1)],
    ['requested again', entry({ requested: requested(4) }), [FILE, ...OTHERS], ingest(4)],
    ['requested again, several further', entry({ requested: requested(9) }), [FILE, ...OTHERS], ingest(9)],
    [
      'requested again, and seen changed',
      entry({ requested: requested(4), changed: changed(LARGER) }),
      [FILE, LARGER, TOUCHED],
      ingest(4),
    ],
    ['requested again while partial', entry({ state: 'partial', requested: requested(4) }), [FILE, LARGER], ingest(4)],
    ['adopted, requested', entry({ state: 'adopted', requested: requested(4) }), [FILE, LARGER], ingest(4)],
    ['requested, and begun', entry({ requested: requested(3) }), [FILE], ingested],
    ['requested, and begun', entry({ requested: requested(3) }), OTHERS, look],
    ['requested, and overtaken', entry({ requested: requested(2) }), [FILE], ingested],
    ['changed', entry({ changed: changed(LARGER) }), [LARGER], isChanged, ingest(4)],
    ['changed, and changed back', entry({ changed: changed(LARGER) }), [FILE], ingested],
    ['changed, and changed again', entry({ changed: changed(LARGER) }), [SMALLER, TOUCHED, OLDER], look],
    ['adopted, changed', entry({ state: 'adopted', changed: changed(LARGER) }), [LARGER], isChanged, ingest(4)],
    ['partial, changed', entry({ state: 'partial', changed: changed(LARGER) }), [LARGER], isChanged, ingest(4)],
    ['partial, changed', entry({ state: 'partial', changed: changed(LARGER) }), [FILE, SMALLER], ingest(3)],
    ['partial', entry({ state: 'partial' }), [FILE, ...OTHERS], ingest(3)],
    ['committed', entry(), [FILE], ingested],
    ['committed', entry(), OTHERS, look],
    ['adopted', entry({ state: 'adopted' }), [FILE], ingested],
    ['adopted', entry({ state: 'adopted' }), OTHERS, look],
  ])('the ledger says %s', (_, record, files, underAlert, underReingest = underAlert) => {
    for (const file of files) {
      expect(decide(record, file, 'alert'), JSON.stringify(file)).toEqual(underAlert);
      expect(decide(record, file, 'reingest'), JSON.stringify(file)).toEqual(underReingest);
      expect(decide(record, file), JSON.stringify(file)).toEqual(underAlert);
    }
  });

  it('is never a job that would find nothing to do, which the next scan would only add again', () => {
    const identity = fc.record({ size: fc.nat(2), mtimeMs: fc.nat(2) });
    const record = fc
      .record(
        {
          state: fc.constantFrom('partial' as const, 'committed' as const, 'adopted' as const),
          generation: fc.integer({ min: 1, max: 4 }),
          identity,
          changed: identity.map(changed),
          requested: fc.integer({ min: 1, max: 6 }).map(requested),
        },
        { requiredKeys: ['state', 'generation', 'identity'] },
      )
      .map(({ identity: same, ...rest }) => aLedgerRecord({ ...same, ...rest }));
    const policy = fc.constantFrom<ChangedFilesPolicy>('alert', 'reingest');
    fc.assert(
      fc.property(fc.option(record, { nil: undefined }), identity, policy, (known, file, changedFiles) => {
        const decision = decide(known, file, changedFiles);
        if (decision.action === 'nothing') return;
        const plan = planAttempt(known, decision, file);
        expect(plan.kind).not.toBe('done');
        expect(plan).toHaveProperty('generation', decision.generation);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a request', () => {
  it.each([
    [undefined, false],
    [2, false],
    [3, false],
    [4, true],
  ])('for generation %j of a file that has its third', (generation, expected) => {
    expect(isRequested(entry(generation === undefined ? {} : { requested: requested(generation) }))).toBe(expected);
  });
});

it('knows a file by size and mtime, both', () => {
  expect(sameIdentity(FILE, { ...FILE })).toBe(true);
  for (const other of OTHERS) expect(sameIdentity(FILE, other), JSON.stringify(other)).toBe(false);
});
