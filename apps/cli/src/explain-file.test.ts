import { builtInFeeds } from '@cdr/core/feeds';
import type { LedgerRecord } from '@cdr/core/ledger-record';
import { selectFiles } from '@cdr/core/testing/select-files';
import { SettlingFiles } from '@cdr/core/settling';
import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import { expect, test } from 'vitest';
import { explainFile } from './explain-file.ts';

const feeds = builtInFeeds({ dataTopic: 'cdr-data', voiceTopic: 'cdr-voice' });
const mtimeMs = 1_733_583_600_000;
const listed = (name: string, size = 100) => ({ name, size, mtimeMs, isRegularFile: true });
const entry = (file: string, different: Partial<LedgerRecord> = {}) =>
  [file, aLedgerRecord({ file, size: 100, mtimeMs, ...different })] as const;
const request = { generation: 2, by: 'ann@ops', reason: 'why not', at: '2024-12-07T15:00:00.000Z' };
const seenChanged = { size: 150, mtimeMs, sha256: 'cd'.repeat(32), seenAt: '2024-12-07T15:00:00.000Z' };

const listing = [
  listed('cdr_data_new.csv'),
  listed('cdr_data_done.csv'),
  listed('cdr_data_adopted.csv'),
  listed('cdr_data_grown.csv', 200),
  listed('cdr_data_part.csv'),
  listed('cdr_data_again.csv'),
  listed('cdr_data_changed.csv', 150),
  listed('.cdr_data_1.csv'),
  listed('cdr_data_1.csv.part'),
  listed('report.pdf'),
  listed('cdr_data_caf\ufffd.csv'),
];
const ledger = new Map([
  entry('cdr_data_done.csv'),
  entry('cdr_data_adopted.csv', { state: 'adopted' }),
  entry('cdr_data_grown.csv'),
  entry('cdr_data_part.csv', { state: 'partial' }),
  entry('cdr_data_again.csv', { requested: request }),
  entry('cdr_data_changed.csv', { changed: seenChanged }),
]);

const explained = (changedFiles: 'alert' | 'reingest', settled = true) =>
  listing.map((file) => explainFile(file, { feeds, ledger, changedFiles, settled: () => settled }));

test('each decision has its reason', () => {
  expect(explained('alert').map(({ file, decision, why }) => `${file}: ${decision}, ${why}`)).toEqual([
    'cdr_data_new.csv: take, new',
    'cdr_data_done.csv: leave, ingested',
    'cdr_data_adopted.csv: leave, adopted: ingested by another program',
    'cdr_data_grown.csv: take, size or time are not as ingested: to be looked at',
    'cdr_data_part.csv: take, 2 rows of it are ingested, more to come',
    'cdr_data_again.csv: take, asked for again by ann@ops',
    'cdr_data_changed.csv: leave, changed after it was ingested; to ingest it: cdr reingest cdr_data_changed.csv --reason ...',
    '.cdr_data_1.csv: ignore, a temporary name',
    'cdr_data_1.csv.part: ignore, a temporary name',
    'report.pdf: ignore, belongs to no feed',
    'cdr_data_caf\ufffd.csv: ignore, its name is not UTF-8: rename it on the server',
  ]);
});

test('what has not settled waits', () => {
  const decisions = explained('alert', false).map(({ decision }) => decision);
  expect(decisions.filter((decision) => decision === 'settling')).toHaveLength(4);
  expect(decisions).not.toContain('take');
});

test('a directory is no file', () => {
  const directory = { ...listed('cdr_data_new.csv'), isRegularFile: false };
  const decision = explainFile(directory, { feeds, ledger, changedFiles: 'alert', settled: () => true });
  expect(decision).toMatchObject({ decision: 'ignore', why: 'no regular file' });
});

test.each(['alert', 'reingest'] as const)('a scan under %s takes the same files', (changedFiles) => {
  const settling = new SettlingFiles(10);
  selectFiles(listing, feeds, ledger, settling, 0, changedFiles);
  settling.endOfScan();
  const { wanted } = selectFiles(listing, feeds, ledger, settling, 20, changedFiles);
  const taken = explained(changedFiles).flatMap(({ file, decision }) => (decision === 'take' ? [file] : []));
  expect(taken.sort()).toEqual(wanted.map(({ file }) => file).sort());
});
