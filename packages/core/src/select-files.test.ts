import { describe, expect, it } from 'vitest';
import { builtInFeeds, matchFeed } from './feeds.ts';
import { inOrder, timeInName } from './file-order.ts';
import { ingestJobSchema } from './ingest-job.ts';
import type { LedgerRecord } from './ledger-record.ts';
import { claimedFiles, FileSelection, isTemporaryName, type ListedFile, type Selection } from './select-files.ts';
import { SettlingFiles } from './settling.ts';
import { aLedgerRecord } from './testing/ledger-record.ts';
import { selectFiles } from './testing/select-files.ts';

const FEEDS = builtInFeeds({ dataTopic: 'cdr-data', voiceTopic: 'cdr-voice' });
const IDENTITY = { size: 100, mtimeMs: 5_000 };
const listed = (...names: string[]): ListedFile[] => names.map((name) => ({ name, ...IDENTITY }));
const knows = (...records: LedgerRecord[]) => new Map(records.map((record) => [record.file, record]));

/** What is selected at the second look, when everything has settled. */
function select(
  files: readonly ListedFile[],
  ledger: ReadonlyMap<string, LedgerRecord> = new Map(),
  policy: 'alert' | 'reingest' = 'alert',
): Selection {
  const settling = new SettlingFiles(0);
  selectFiles(files, FEEDS, ledger, settling, 0, policy);
  settling.endOfScan();
  return selectFiles(files, FEEDS, ledger, settling, 1, policy);
}

describe('a name', () => {
  it.each([
    ['cdr_data_20241207_150000.csv', 'data'],
    ['cdr_voice_20241207_150000.csv', 'voice'],
    ['cdr_data_.csv', 'data'],
    ['cdr_data_a\nb.csv', 'data'],
    ['cdr_data.csv', undefined],
    ['CDR_DATA_1.csv', undefined],
    ['cdr_data_1.csv.gz', 'data'],
    ['cdr_voice_1.csv.gz', 'voice'],
    ['cdr_data_1.csv.gz.gz', undefined],
    ['cdr_data_1.csvxgz', undefined],
    ['cdr_data_1.gz', undefined],
    ['cdr_data_1.csv.bz2', undefined],
    ['cdr_data_1.csv\n', undefined],
    ['x_cdr_data_1.csv', undefined],
    ['x_cdr_voice_1.csv', undefined],
    ['cdr_voice_1.CSV', undefined],
    ['cdr_sms_1.csv', undefined],
    ['cdr_data_\u{1f600}.csv', 'data'],
    ['cdr_data_caf\ufffd.csv', undefined],
  ])('%j belongs to feed %s', (name, feed) => {
    expect(matchFeed(FEEDS, name)?.name).toBe(feed);
  });

  it.each([
    '.cdr_data_1.csv',
    '.',
    'cdr_data_1.csv.part',
    'cdr_data_1.csv.PARTIAL',
    'cdr_data_1.csv.tmp',
    'cdr_data_1.csv.temp',
    'cdr_data_1.csv.filepart',
    'cdr_data_1.csv.uploading',
    'cdr_data_1.csv.crdownload',
    '.cdr_data_1.csv.swp',
    'cdr_data_1.csv~',
  ])('%j is one of a file that is being written', (name) => {
    expect(isTemporaryName(name)).toBe(true);
  });

  it.each(['cdr_data_1.csv', 'cdr_data_part.csv', 'cdr_data_1.part.csv', 'tmp', 'cdr_data_~.csv', 'a.partx'])(
    '%j is not',
    (name) => {
      expect(isTemporaryName(name)).toBe(false);
    },
  );

  it.each([
    ['cdr_data_20241207_150102.csv', '20241207150102'],
    ['20241207_150102', '20241207150102'],
    ['cdr_data_2024-12-07_150102.csv', ''],
    ['cdr_data_20241207150102.csv', ''],
    ['', ''],
  ])('%j says the time %j', (name, time) => {
    expect(timeInName(name)).toBe(time);
  });
});

describe('the order of files', () => {
  it('is that of the time in their names, then of the names, whatever the feed', () => {
    const names = [
      'cdr_data_nothing.csv',
      'cdr_voice_nothing.csv',
      'cdr_data_20241207_150000.csv',
      'cdr_voice_20241207_150000.csv',
      'cdr_voice_20241207_150000_2.csv',
      'cdr_data_20241207_150100.csv',
      'cdr_voice_20241208_000000.csv',
      'cdr_data_20250101_000000.csv',
    ];
    for (const shuffled of [names.toReversed(), names.toSorted(), [...names.slice(3), ...names.slice(0, 3)]]) {
      const { wanted } = select(listed(...shuffled));
      expect(wanted.map(({ file }) => file)).toEqual(names);
    }
    const twice = [
      { name: 'a', at: 1 },
      { name: 'a', at: 2 },
    ];
    expect(inOrder(twice, ({ name }) => name)).toEqual(twice);
  });
});

describe('a scan', () => {
  it('wants jobs that a worker accepts', () => {
    const { wanted } = select(listed('cdr_voice_20241207_150000.csv'));
    expect(wanted).toEqual([{ file: 'cdr_voice_20241207_150000.csv', feed: 'voice', ...IDENTITY, generation: 1 }]);
    for (const job of wanted) expect(ingestJobSchema.parse(job)).toEqual(job);
  });

  it('does not look at temporary names, and names what no feed claims', () => {
    const files = listed('cdr_data_1.csv', '.cdr_data_2.csv', 'cdr_data_3.csv.part', 'readme.txt', 'cdr_sms_1.csv');
    const { wanted, counts, unclaimed } = select(files);
    expect(wanted.map(({ file }) => file)).toEqual(['cdr_data_1.csv']);
    expect(counts).toEqual({ found: 1, ingested: 0, changed: 0, settling: 0, unclaimed: 2, notUtf8: 0, wanted: 1 });
    expect(unclaimed).toEqual(['readme.txt', 'cdr_sms_1.csv']);
    expect(claimedFiles(files, FEEDS).map(({ name }) => name)).toEqual(['cdr_data_1.csv']);
    // not even those that a feed with a wider pattern would claim
    const wide = FEEDS.map((feed) => ({ ...feed, pattern: /./ }));
    expect(claimedFiles(files, wide).map(({ name }) => name)).toEqual([
      'cdr_data_1.csv',
      'readme.txt',
      'cdr_sms_1.csv',
    ]);
  });

  it('leaves names alone that are not UTF-8, and says which', () => {
    const { wanted, counts, unclaimed, notUtf8 } = select(listed('cdr_data_caf\ufffd.csv', 'x', 'cdr_data_1.csv'));
    expect(wanted.map(({ file }) => file)).toEqual(['cdr_data_1.csv']);
    expect(counts).toMatchObject({ found: 1, unclaimed: 2, notUtf8: 1 });
    expect(unclaimed).toEqual(['cdr_data_caf\ufffd.csv', 'x']);
    expect(notUtf8).toEqual(['cdr_data_caf\ufffd.csv']);
  });

  it('keeps a few names and counts them all', () => {
    const strangers = Array.from({ length: 1_000 }, (_, i) => `stranger-${i}`);
    const { unclaimed, counts } = select(listed(...strangers));
    expect(unclaimed).toEqual(strangers.slice(0, 20));
    expect(counts.unclaimed).toBe(1_000);

    const names = Array.from({ length: 30 }, (_, i) => `cdr_data_${i}.csv`);
    const record = (file: string) =>
      aLedgerRecord({ file, changed: { ...IDENTITY, sha256: 'cd', seenAt: '2024-12-07T15:00:00.000Z' } });
    const selection = select(listed(...names), knows(...names.map(record)));
    expect(selection.changed).toHaveLength(20);
    expect(selection.counts).toMatchObject({ changed: 30, wanted: 0, ingested: 0 });
  });

  it('holds what has not settled, and takes it when it has', () => {
    const settling = new SettlingFiles(10);
    const see = (nowMs: number, size: number) => {
      const files = [{ name: 'cdr_data_1.csv', size, mtimeMs: 1 }];
      const { counts, wanted } = selectFiles(files, FEEDS, new Map(), settling, nowMs, 'alert');
      settling.endOfScan();
      return { settling: counts.settling, wanted: wanted.map((job) => job.size) };
    };
    expect(see(0, 1)).toEqual({ settling: 1, wanted: [] });
    expect(see(9, 2)).toEqual({ settling: 1, wanted: [] });
    expect(see(18, 2)).toEqual({ settling: 1, wanted: [] });
    expect(see(19, 2)).toEqual({ settling: 0, wanted: [2] });
  });

  it('counts from when a file was certainly seen to when it was certainly not yet: a listing takes its time', () => {
    const settling = new SettlingFiles(10);
    const see = (fromMs: number, toMs: number) => {
      const selection = new FileSelection(FEEDS, settling, 'alert');
      selection.take(listed('cdr_data_1.csv'), { fromMs, toMs }, new Map());
      settling.endOfScan();
      return selection.end().wanted.length;
    };
    expect(see(0, 8)).toBe(0);
    expect(see(17, 30)).toBe(0);
    expect(see(18, 30)).toBe(1);
  });

  it('forgets what a scan saw that did not come to its end', () => {
    const settling = new SettlingFiles(0);
    const seen = { fromMs: 0, toMs: 0 };
    new FileSelection(FEEDS, settling, 'alert').take(listed('cdr_data_1.csv'), seen, new Map());
    expect(selectFiles([], FEEDS, new Map(), settling, 1, 'alert').counts.found).toBe(0);
    expect(settling.endOfScan()).toBe(0);
  });

  it('does not let what is ingested settle: a change has to', () => {
    const settling = new SettlingFiles(0);
    const file = 'cdr_data_1.csv';
    const ledger = knows(aLedgerRecord({ file, ...IDENTITY }));
    const see = (size: number) => {
      const files = [{ name: file, size, mtimeMs: IDENTITY.mtimeMs }];
      const { counts } = selectFiles(files, FEEDS, ledger, settling, 0, 'alert');
      return { ...counts, remembered: settling.endOfScan() };
    };
    expect(see(100)).toMatchObject({ ingested: 1, settling: 0, wanted: 0, remembered: 0 });
    expect(see(101)).toMatchObject({ ingested: 0, settling: 1, wanted: 0, remembered: 1 });
    expect(see(101)).toMatchObject({ ingested: 0, settling: 0, wanted: 1, remembered: 1 });
  });

  it("asks for the generation that the ledger's entry calls for, under either policy", () => {
    const changed = { ...IDENTITY, sha256: 'cd', seenAt: '2024-12-07T15:00:00.000Z' };
    const requested = { generation: 5, by: 'ops', reason: 'x', at: '2024-12-07T15:00:00.000Z' };
    const ledger = knows(
      aLedgerRecord({ file: 'cdr_data_1.csv', state: 'partial', generation: 2 }),
      aLedgerRecord({ file: 'cdr_data_2.csv', ...IDENTITY, requested }),
      aLedgerRecord({ file: 'cdr_data_3.csv', generation: 3, changed }),
      aLedgerRecord({ file: 'cdr_data_4.csv', generation: 4, size: 1 }),
      aLedgerRecord({ file: 'cdr_data_5.csv', generation: 4, ...IDENTITY }),
    );
    const files = listed(...ledger.keys());
    const generations = (policy: 'alert' | 'reingest') =>
      select(files, ledger, policy).wanted.map(({ file, generation }) => [file.slice(9, 10), generation]);
    expect(generations('alert')).toEqual([
      ['1', 2],
      ['2', 5],
      ['4', 4],
    ]);
    expect(generations('reingest')).toEqual([
      ['1', 2],
      ['2', 5],
      ['3', 4],
      ['4', 4],
    ]);
    expect(select(files, ledger).counts).toEqual({
      found: 5,
      ingested: 1,
      changed: 1,
      settling: 0,
      unclaimed: 0,
      notUtf8: 0,
      wanted: 3,
    });
  });
});
