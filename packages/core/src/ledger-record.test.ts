import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEDGER_VERSION, parseLedgerRecord, type LedgerRecord } from './ledger-record.ts';
import { aLedgerRecord } from './testing/ledger-record.ts';

const problemOf = (value: string): string => {
  const parsed = parseLedgerRecord(value);
  return parsed.ok ? 'none' : parsed.problem;
};
/** A good record as JSON, with something in it replaced; undefined takes it away. */
const but = (different: Record<string, unknown>): string => JSON.stringify({ ...aLedgerRecord(), ...different });

const count = fc.nat();
const identity = { size: count, mtimeMs: fc.integer() };
const digits = fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String);
const record: fc.Arbitrary<LedgerRecord> = fc
  .record(
    {
      v: fc.constant(LEDGER_VERSION as 1),
      file: fc.string({ minLength: 1, unit: 'binary' }),
      feed: fc.string(),
      state: fc.constantFrom('partial' as const, 'committed' as const, 'adopted' as const),
      topic: fc.string(),
      generation: fc.integer({ min: 1 }),
      ...identity,
      sha256: fc.option(fc.string()),
      byteOffset: count,
      messages: count,
      rejects: count,
      ranges: fc.array(
        fc.record(
          {
            topic: fc.string(),
            partition: count,
            first: digits,
            last: digits,
            producerId: digits,
            epoch: fc.integer(),
          },
          { requiredKeys: ['topic', 'partition', 'first', 'last'] },
        ),
      ),
      producerId: digits,
      epoch: fc.integer(),
      attempt: count,
      jobId: fc.string(),
      worker: fc.string({ unit: 'binary' }),
      startedAt: fc.string(),
      committedAt: fc.string(),
      changed: fc.record({ ...identity, sha256: fc.string(), seenAt: fc.string() }),
      requested: fc.record({
        generation: fc.integer({ min: 1 }),
        by: fc.string(),
        reason: fc.string({ unit: 'binary' }),
        at: fc.string(),
      }),
    },
    {
      requiredKeys: [
        ...(['v', 'file', 'feed', 'state', 'topic', 'generation', 'size', 'mtimeMs', 'sha256', 'byteOffset'] as const),
        ...(['messages', 'rejects', 'ranges', 'producerId', 'epoch', 'attempt', 'jobId', 'worker'] as const),
        ...(['startedAt', 'committedAt'] as const),
      ],
    },
  )
  .map((made) => ({ ...made, rows: made.messages + made.rejects }));

describe('a ledger record', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(record, (written) => {
        expect(parseLedgerRecord(JSON.stringify(written))).toEqual({ ok: true, record: written });
      }),
    );
  });

  it('may carry what this release does not know, as long as the version is the same', () => {
    expect(parseLedgerRecord(but({ later: 'addition' }))).toEqual({ ok: true, record: aLedgerRecord() });
  });

  it.each([
    ['', 'not JSON'],
    ['{', 'not JSON'],
    ['{"v":1', 'not JSON'],
    ['{"v":2}', 'version 2; this release knows 1'],
    [but({ v: 3 }), 'version 3; this release knows 1'],
  ])('%j: %s', (value, problem) => {
    expect(problemOf(value)).toBe(problem);
  });

  it.each(['null', '1', '"x"', '[]', '{}', '[{"v":1}]'])('is not %s', (value) => {
    expect(problemOf(value)).not.toBe('none');
  });

  it.each([
    ['v', 0],
    ['v', '1'],
    ['v', undefined],
    ['file', ''],
    ['file', undefined],
    ['feed', undefined],
    ['state', 'begun'],
    ['generation', 0],
    ['generation', 1.5],
    ['size', -1],
    ['size', '100'],
    ['mtimeMs', 1.5],
    ['mtimeMs', null],
    ['sha256', undefined],
    ['byteOffset', -1],
    ['messages', -1],
    ['attempt', -1],
    ['producerId', 1000],
    ['epoch', null],
    ['committedAt', undefined],
  ])('with %s %j is refused, and the problem names it', (field, value) => {
    expect(problemOf(but({ [field]: value }))).toMatch(new RegExp(`^${field}: `));
  });

  it.each([
    ['ranges.0.first', { ranges: [{ topic: 't', partition: 0, first: '-1', last: '2' }] }],
    ['ranges.0.last', { ranges: [{ topic: 't', partition: 0, first: '1', last: 2 }] }],
    [
      'ranges.1.partition',
      { ranges: [...aLedgerRecord().ranges, { topic: 't', partition: -1, first: '1', last: '2' }] },
    ],
    ['changed.sha256', { changed: { size: 1, mtimeMs: 1, seenAt: 'x' } }],
    ['requested.generation', { requested: { generation: 0, by: 'x', reason: 'y', at: 'z' } }],
  ])('with a bad %s is refused, and the problem names it', (path, different) => {
    expect(problemOf(but(different))).toMatch(new RegExp(`^${path}: `));
  });

  it.each([
    [3, 2, 0],
    [2, 2, 1],
    [0, 0, 1],
  ])(
    'of %i rows, %i messages and %i rejects is refused: a row is missing or counted twice',
    (rows, messages, rejects) => {
      expect(problemOf(but({ rows, messages, rejects }))).toBe(': rows is not messages + rejects');
    },
  );
});
