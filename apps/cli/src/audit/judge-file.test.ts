import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import type { RangeCount } from '@cdr/kafka/committed-counter';
import { describe, expect, test } from 'vitest';
import { judgeFile, type FileEvidence } from './judge-file.ts';

const record = aLedgerRecord({ rows: 10, messages: 8, rejects: 2 });
const whole = (records: number): RangeCount => ({ records, state: 'whole' });
const evidence = (different: Partial<FileEvidence> = {}): FileEvidence => ({
  record,
  server: { state: 'counted', rows: 10, sha256: record.sha256 ?? '' },
  messages: [whole(5), whole(3)],
  rejects: [whole(2)],
  ...different,
});
const verdictOf = (different: Partial<FileEvidence>): string => judgeFile(evidence(different)).verdict;

describe('the verdict', () => {
  test('is exact when server, ledger and topics agree', () => {
    expect(judgeFile(evidence())).toMatchObject({ verdict: 'exact', problems: [], serverRows: 10, topicMessages: 8 });
  });

  test('is exact without a server to ask', () => {
    for (const state of ['gone', 'changed', 'not-read'] as const)
      expect(verdictOf({ server: { state } })).toBe('exact');
  });

  test.each<[string, Partial<FileEvidence>, RegExp]>([
    ['a row too few', { messages: [whole(7)] }, /^the topic has 7 messages, the ledger says 8$/],
    ['a row too many', { messages: [whole(5), whole(4)] }, /has 9 messages/],
    ['a reject too few', { rejects: [] }, /has 0 rejects, the ledger says 2/],
    [
      'other rows on the server',
      { server: { state: 'counted', rows: 11, sha256: record.sha256 ?? '' } },
      /has 11 rows/,
    ],
    [
      'other content on the server',
      { server: { state: 'counted', rows: 10, sha256: 'cd' } },
      /is not what was ingested/,
    ],
    [
      'a file on the server that cannot be decompressed',
      { server: { state: 'unreadable', problem: 'no sound gzip data' } },
      /^the file on the server cannot be read: no sound gzip data$/,
    ],
    ['no such offsets', { messages: [whole(5), { records: 0, state: 'beyond-end' }] }, /log ends before/],
    ['too many of an expired range', { messages: [{ records: 9, state: 'expired' }] }, /has 9 messages/],
  ])('differs with %s', (_, different, problem) => {
    const { verdict, problems } = judgeFile(evidence(different));
    expect(verdict).toBe('differs');
    expect(problems).toEqual([expect.stringMatching(problem)]);
  });

  test('is expired when retention has taken some', () => {
    expect(verdictOf({ messages: [{ records: 1, state: 'expired' }, whole(3)] })).toBe('expired');
  });

  test('is held-back when an open transaction hides some, whatever has expired', () => {
    expect(
      verdictOf({ messages: [{ records: 0, state: 'held-back' }], rejects: [{ records: 0, state: 'expired' }] }),
    ).toBe('held-back');
  });

  test('is adopted when there is nothing to count', () => {
    const adopted = aLedgerRecord({ state: 'adopted', rows: 0, messages: 0, rejects: 0, sha256: null });
    expect(verdictOf({ record: adopted, server: { state: 'not-read' }, messages: [], rejects: [] })).toBe('adopted');
  });
});
