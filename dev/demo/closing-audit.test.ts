import type { LedgerRecord } from '@cdr/core/ledger-record';
import { describe, expect, test } from 'vitest';
import { audit, auditTable, isClean, type Evidence } from './closing-audit.ts';

const DATA = 'cdr_data_20240101_000000.csv';
const VOICE = 'cdr_voice_20240101_000000.csv';

function evidence(): Evidence {
  return {
    expected: [
      { name: DATA, topic: 'data', rows: 1_000 },
      { name: VOICE, topic: 'voice', rows: 501 },
    ],
    ledger: new Map([
      [DATA, ledgerRecord({ file: DATA, rows: 1_000, messages: 1_000, rejects: 0 })],
      [VOICE, ledgerRecord({ file: VOICE, rows: 501, messages: 500, rejects: 1 })],
    ]),
    counted: [
      { topic: 'data', sourceFile: DATA, count: 1_000 },
      { topic: 'voice', sourceFile: VOICE, count: 500 },
      { topic: 'rejects', sourceFile: null, count: 1 },
    ],
    rejectsTopic: 'rejects',
  };
}

test('all rows accounted for', () => {
  const verdict = audit(evidence());
  expect(verdict.problems).toEqual([]);
  expect(isClean(verdict)).toBe(true);
  expect(auditTable(verdict)).toEqual([
    'topic   files    rows   messages   rejects   difference',
    'data        1   1,000      1,000         0            0',
    'voice       1     501        500         1            0',
    'total       2   1,501      1,500         1            0',
  ]);
});

describe('every single deviation makes it red', () => {
  test.each<[string, (right: Evidence) => Evidence, RegExp]>([
    [
      'a row more was generated',
      (right) => ({ ...right, expected: withRows(right, DATA, 1_001) }),
      /ledger says 1,000/,
    ],
    ['a row is doubled', (right) => ({ ...right, counted: withCount(right, DATA, 1_001) }), /1,001 messages in data/],
    ['a row is missing', (right) => ({ ...right, counted: withCount(right, VOICE, 499) }), /499 messages in voice/],
    ['a file has no messages', (right) => ({ ...right, counted: right.counted.slice(1) }), /0 messages in data/],
    [
      'a file is not in the ledger',
      (right) => ({ ...right, ledger: without(right, DATA) }),
      /the ledger has it not at all/,
    ],
    [
      'a file is half done',
      (right) => ({ ...right, ledger: withState(right, DATA, 'partial') }),
      /ledger has it partial/,
    ],
    ['a reject is missing', (right) => ({ ...right, counted: right.counted.slice(0, 2) }), /rejects has 0 rejects/],
    [
      'a doubled row hides a missing one',
      (right) => ({
        ...right,
        expected: [...right.expected, { name: 'x.csv', topic: 'data', rows: 1 }],
        ledger: new Map([
          ...right.ledger,
          ['x.csv', ledgerRecord({ file: 'x.csv', rows: 1, messages: 1, rejects: 0 })],
        ]),
        counted: withCount(right, DATA, 1_001),
      }),
      /x\.csv: 0 messages in data/,
    ],
    [
      'messages come from a file that nobody made',
      (right) => ({ ...right, counted: [...right.counted, { topic: 'data', sourceFile: VOICE, count: 1 }] }),
      /1 messages in data from cdr_voice/,
    ],
  ])('%s', (_, change, problem) => {
    const verdict = audit(change(evidence()));
    expect(isClean(verdict)).toBe(false);
    expect(verdict.problems.join('\n')).toMatch(problem);
  });
});

test('a difference is shown with its sign', () => {
  const right = evidence();
  const { topics } = audit({ ...right, counted: withCount(right, DATA, 1_002) });
  expect(topics.map((line) => line.difference)).toEqual([2, 0]);
  expect(auditTable(audit({ ...right, counted: withCount(right, DATA, 1_002) }))[1]).toMatch(/\+2$/);
});

function withRows({ expected }: Evidence, name: string, rows: number): Evidence['expected'] {
  return expected.map((file) => (file.name === name ? { ...file, rows } : file));
}

function withCount({ counted }: Evidence, sourceFile: string, count: number): Evidence['counted'] {
  return counted.map((entry) => (entry.sourceFile === sourceFile ? { ...entry, count } : entry));
}

function without({ ledger }: Evidence, file: string): Evidence['ledger'] {
  return new Map([...ledger].filter(([name]) => name !== file));
}

function withState({ ledger }: Evidence, file: string, state: LedgerRecord['state']): Evidence['ledger'] {
  return new Map([...ledger].map(([name, record]) => [name, name === file ? { ...record, state } : record]));
}

function ledgerRecord(counts: Pick<LedgerRecord, 'file' | 'rows' | 'messages' | 'rejects'>): LedgerRecord {
  return {
    v: 1,
    feed: 'data',
    state: 'committed',
    topic: 'data',
    generation: 1,
    size: 1,
    mtimeMs: 0,
    sha256: null,
    byteOffset: 1,
    ranges: [],
    producerId: '1',
    epoch: 0,
    attempt: 1,
    jobId: 'f-x',
    worker: 'w',
    startedAt: '2024-01-01T00:00:00.000Z',
    committedAt: '2024-01-01T00:00:01.000Z',
    ...counts,
  };
}
