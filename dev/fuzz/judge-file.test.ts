import { builtInFeeds, type Feed } from '@cdr/core/feeds';
import type { LedgerRecord } from '@cdr/core/ledger-record';
import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import { describe, expect, test } from 'vitest';
import type { CommittedMessage } from '../kafka-counter/committed-reader.ts';
import { expectedOutcome } from './expected-outcome.ts';
import { byFile, judgeFile, type FoundFile } from './judge-file.ts';

const [, VOICE] = builtInFeeds({ dataTopic: 'data', voiceTopic: 'voice' }) as readonly [Feed, Feed];
const NAME = 'cdr_voice_1.csv';
const HEADER = VOICE.columns.join(',');
const SETTINGS = {
  fieldChecks: 'strict',
  maxLineBytes: 500,
  maxRejectRatio: 0.5,
  transactionMaxRecords: 1_000,
} as const;
const row = (n: number): string => `+2782${1_000_000 + n},1,voice,+27829876543,${n},2024-01-01 10:15:30`;

describe('what must become of a file', () => {
  const outcome = (content: string, settings = {}): string[] => {
    const { refusal, rows } = expectedOutcome(Buffer.from(content), NAME, VOICE, { ...SETTINGS, ...settings });
    return [
      ...(refusal ? [refusal] : []),
      ...rows.map((each) => (each.kind === 'reject' ? `${each.line} ${each.code}` : 'message')),
    ];
  };

  test.each<[string, string, string[]]>([
    ['nothing in it', '', []],
    ['a header alone', `${HEADER}\n`, []],
    ['a row and a reject', `${HEADER}\n${row(1)}\nx\n`, ['message', '3 too-few-fields']],
    ['no header', `${row(1)}\n${row(2)}\n`, ['bad-header']],
    ['a column twice', `${HEADER},msisdn\n`, ['bad-header']],
    ['a column of ours', `${HEADER},_record_type\n`, ['bad-header']],
    ['a header that is too long', `${HEADER},${'x'.repeat(500)}\n`, ['bad-header']],
    ['a header whose quote is open', `"${HEADER}\n`, ['bad-header']],
  ])('%s', (_, content, expected) => {
    expect(outcome(content)).toEqual(expected);
  });

  test('checks and the longest line are those of the settings', () => {
    const content = `${HEADER}\n${row(1).replace('1,voice', 'north,voice')}\n${row(2)}\n`;
    expect(outcome(content)).toEqual(['2 bad-integer', 'message']);
    expect(outcome(content, { fieldChecks: 'off' })).toEqual(['message', 'message']);
    expect(outcome(`${HEADER}\n${row(2)}${'0'.repeat(500)}`)).toEqual(['2 line-too-long']);
  });

  test('a message that no broker takes is a reject', () => {
    const content = `${HEADER}\n${row(2).replace('+27829876543', '\x01'.repeat(170_000))}\n`;
    expect(outcome(content, { maxLineBytes: 1_048_576 })).toEqual(['2 line-too-long']);
  });

  test('too many rejects in a transaction refuse it, and those before it stay', () => {
    const good = Array.from({ length: 150 }, (_, i) => row(i)).join('\n');
    const bad = 'x\n'.repeat(90);
    expect(outcome(`${HEADER}\n${good}\n${bad}`)).toHaveLength(240);
    expect(outcome(`${HEADER}\n${good}\n${bad}${bad}`)).toEqual(['too-many-rejects']);
    const cut = outcome(`${HEADER}\n${good}\n${bad}${bad}`, { transactionMaxRecords: 100 });
    expect(cut).toHaveLength(201);
    expect(cut[0]).toBe('too-many-rejects');
  });
});

describe('a file as it was found', () => {
  const content = Buffer.from(`${HEADER}\n${row(1)}\n${row(1)}\n${row(2)}\nx\n`);
  const expected = expectedOutcome(content, NAME, VOICE, SETTINGS);
  const message = (n: number, change: Record<string, string> = {}): CommittedMessage => {
    const values = row(n).split(',');
    const columns = Object.fromEntries(VOICE.columns.map((column, i) => [column, values[i]]));
    const value = JSON.stringify({
      _source_file: NAME,
      _ingestion_timestamp: '2024-12-07T15:23:45.123456',
      _record_type: 'voice',
      ...columns,
      ...change,
    });
    return { topic: 'voice', partition: 0, offset: n, timestamp: 0, key: values[0] ?? '', value };
  };
  const reject = (change: Record<string, unknown> = {}): CommittedMessage => {
    const value = JSON.stringify({ file: NAME, line: 5, code: 'too-few-fields', reason: '', raw: 'x', ...change });
    return { topic: 'rejects', partition: 0, offset: 0, timestamp: 0, key: NAME, value };
  };
  const record: LedgerRecord = aLedgerRecord({ file: NAME, state: 'committed', rows: 4, messages: 3, rejects: 1 });
  const found: FoundFile = {
    record,
    failure: undefined,
    messages: [message(1), message(1), message(2)],
    rejects: [reject()],
  };
  const problems = (change: Partial<FoundFile>): string[] =>
    judgeFile(expected, { ...found, ...change }, { feed: 'voice', topic: 'voice' });

  test('is right when everything is there once', () => {
    expect(problems({})).toEqual([]);
    // in another order of columns
    const { msisdn, ...rest } = JSON.parse(message(2).value ?? '') as Record<string, string>;
    expect(
      problems({ messages: [message(1), message(1), { ...message(2), value: JSON.stringify({ ...rest, msisdn }) }] }),
    ).toEqual([]);
  });

  test.each<[string, Partial<FoundFile>, RegExp]>([
    ['a message missing', { messages: [message(1), message(2)] }, /message missing, 1 times/],
    ['a message doubled', { messages: [message(1), message(1), message(2), message(2)] }, /message too many, 1 times/],
    ['one missing and another doubled', { messages: [message(1), message(2), message(2)] }, /missing[\s\S]*too many/],
    ['another value', { messages: [message(1), message(1), message(2, { tower_id: '01' })] }, /missing[\s\S]*too many/],
    ['another key', { messages: [message(1), message(1), { ...message(2), key: '1' }] }, /missing/],
    ['another type', { messages: [message(1), message(1), message(2, { _record_type: 'data' })] }, /missing/],
    ['another topic', { messages: [message(1), message(1), { ...message(2), topic: 'data' }] }, /a message in data/],
    ['a field more', { messages: [message(1), message(1), message(2, { more: '' })] }, /missing/],
    [
      'a time of its own',
      { messages: [message(1), message(1), message(2, { _ingestion_timestamp: 'now' })] },
      /of the time now/,
    ],
    [
      'JSON with a name twice',
      { messages: [message(1), message(1), { ...message(2), value: `{"msisdn":"x",${message(2).value?.slice(1)}` }] },
      /not plain JSON/,
    ],
    ['a reject missing', { rejects: [] }, /reject missing/],
    ['a reject of another line', { rejects: [reject({ line: 4 })] }, /reject missing/],
    ['a reject of another code', { rejects: [reject({ code: 'bad-quote' })] }, /reject missing/],
    ['a reject with another text', { rejects: [reject({ raw: 'y' })] }, /reject missing/],
    ['a count', { record: { ...record, rows: 5 } }, /rows are not messages \+ rejects/],
    ['a state', { record: { ...record, state: 'partial' } }, /the ledger says partial, expected committed/],
    ['no record', { record: undefined }, /the ledger says nothing/],
    ['a refusal', { failure: 'bad-header' }, /refused with bad-header, expected nothing/],
  ])('is wrong for %s', (_, change, problem) => {
    expect(problems(change).join('\n')).toMatch(problem);
  });

  test('is gathered from the topics by its name', () => {
    const other = message(3, { _source_file: 'other.csv' });
    const { find, files } = byFile(
      [message(1), other],
      [reject()],
      [
        { ...message(1), key: NAME, value: JSON.stringify({ ...record, rows: 3, messages: 2 }) },
        { ...message(1), key: NAME, value: JSON.stringify(record) },
      ],
    );
    expect([...files].sort()).toEqual([NAME, 'other.csv']);
    expect(find(NAME)).toMatchObject({ record: { rows: 4 }, messages: [{ offset: 1 }], rejects: [{ key: NAME }] });
    expect(find('nowhere')).toEqual({ record: undefined, messages: [], rejects: [] });
  });
});
