import { builtInFeeds } from '@cdr/core/feeds';
import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import { expect, test } from 'vitest';
import { LedgerTotals } from './ledger-totals.ts';

const NOW = Date.parse('2024-12-07T15:10:00.000Z');
const feeds = builtInFeeds({ dataTopic: 'cdr-data', voiceTopic: 'cdr-voice' });
const at = (time: string): string => `2024-12-07T${time}.000Z`;

test('counts by feed and state, rates by the time of commit, and the newest of each', () => {
  const totals = new LedgerTotals(feeds, NOW);
  totals.add(aLedgerRecord({ file: 'a', rows: 5, messages: 4, rejects: 1, committedAt: at('15:09:30') }));
  totals.add(aLedgerRecord({ file: 'b', state: 'partial', rows: 7, messages: 7, committedAt: at('15:06:00') }));
  totals.add(aLedgerRecord({ file: 'c', state: 'adopted', rows: 0, messages: 0, committedAt: at('15:09:59') }));
  const changed = { size: 1, mtimeMs: 1, sha256: '', seenAt: at('15:00:00') };
  const requested = { generation: 2, by: 'ann', reason: 'why not', at: at('15:00:00') };
  totals.add(aLedgerRecord({ file: 'd', feed: 'old', committedAt: at('10:00:00'), changed, requested }));

  const view = totals.view();
  expect(view.feeds).toEqual([
    expect.objectContaining({
      feed: 'data',
      ingested: 1,
      partial: 1,
      adopted: 1,
      messages: 11,
      rejects: 1,
      lastCompletedAt: at('15:09:30'),
    }),
    expect.objectContaining({ feed: 'voice', ingested: 0, lastCompletedAt: null }),
    expect.objectContaining({ feed: 'old', ingested: 1, changed: 1, requested: 1 }),
  ]);
  expect(view.rates).toEqual([
    { minutes: 1, files: 1, messages: 4 },
    { minutes: 5, files: 2, messages: 11 },
    { minutes: 60, files: 2, messages: 11 },
  ]);
  expect(view.lastCompleted).toEqual({ file: 'a', committedAt: at('15:09:30'), messages: 4 });
  expect(view.changedFiles).toEqual([{ file: 'd', seenAt: at('15:00:00') }]);
});

test('counts files that have the content of another one, however they are compressed; not those without rows', () => {
  const totals = new LedgerTotals(feeds, NOW);
  const add = (file: string, record: Parameters<typeof aLedgerRecord>[0]): void =>
    totals.add(aLedgerRecord({ file, ...record }));
  add('a', { sha256: 'aa' });
  add('b', { sha256: 'bb' });
  add('a.gz', { sha256: 'aa', size: 1 });
  add('not yet', { sha256: 'aa', state: 'partial' });
  add('by another program', { sha256: null, state: 'adopted' });
  for (const file of ['empty', 'also empty']) add(file, { sha256: 'ee', rows: 0, messages: 0, rejects: 0 });
  expect(totals.view()).toMatchObject({ sameContent: 1, sameContentFiles: [{ file: 'a.gz', as: 'a' }] });
});
