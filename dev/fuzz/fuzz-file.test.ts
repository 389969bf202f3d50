import { gunzipSync } from 'node:zlib';
import { builtInFeeds, matchFeed } from '@cdr/core/feeds';
import { fileKeyOf, jobIdOf } from '@cdr/core/job-id';
import { REJECT_CODES } from '@cdr/core/rejects';
import { isTemporaryName } from '@cdr/core/select-files';
import { describe, expect, test } from 'vitest';
import { Random } from '../chaos/random.ts';
import { expectedOutcome, type DecidingSettings } from './expected-outcome.ts';
import { KIND_NAMES, makeContent, SUBSCRIBER_NUMBER } from './fuzz-content.ts';
import { fuzzFile, roundSettings } from './fuzz-file.ts';
import { claimedName, strangeName } from './fuzz-name.ts';
import { mutate, MUTATED_MAX_BYTES } from './mutate.ts';

const FEEDS = builtInFeeds({ dataTopic: 'data', voiceTopic: 'voice' });
const SETTINGS: DecidingSettings = {
  fieldChecks: 'strict',
  maxLineBytes: 1_000,
  maxRejectRatio: 0.5,
  transactionMaxRecords: 500_000,
};
const SAMPLES = 12;

/** What the reference says of some files of a kind: codes of rejects and refusals, and `message`. */
function seenIn(kind: string, settings: DecidingSettings = SETTINGS): Set<string> {
  const seen = new Set<string>();
  for (let i = 0; i < SAMPLES; i++) {
    const feed = FEEDS[i % 2];
    if (!feed) continue;
    const content = makeContent(kind, { random: new Random(i), feed, maxLineBytes: settings.maxLineBytes });
    const { refusal, rows } = expectedOutcome(content, 'cdr_data_1.csv', feed, settings);
    if (refusal) seen.add(refusal);
    for (const row of rows) seen.add(row.kind === 'reject' ? row.code : 'message');
  }
  return seen;
}

describe('a kind of file is what it is called:', () => {
  test.each([
    ['clean', ['message']],
    ['quoted', ['message']],
    ['embedded newlines', ['message']],
    ['short and long rows', ['message', 'too-few-fields', 'too-many-fields']],
    ['a column twice', ['bad-header']],
    ['a column of ours', ['bad-header']],
    ['a column missing', ['bad-header']],
    ['a header of other feeds', ['bad-header']],
    ['no header', ['bad-header']],
    ['gzip bytes', ['bad-header']],
    ['UTF-16', ['bad-header']],
    ['more columns', ['message']],
    ['columns in another order', ['message']],
    ['hundreds of columns', ['bad-header', 'message']],
    ['a header alone', []],
  ])('%s', (kind, codes) => {
    expect([...seenIn(kind)].sort()).toEqual(codes.toSorted());
  });

  test.each([
    ['bare quotes', 'bad-quote'],
    ['unclosed quotes', 'bad-quote'],
    ['text behind quotes', 'bad-quote'],
    ['bytes that are not UTF-8', 'bad-utf8'],
    ['long lines', 'line-too-long'],
    ['values at the edge', 'bad-integer'],
    ['values at the edge', 'bad-msisdn'],
    ['values at the edge', 'bad-time'],
    ['more rejects than rows', 'too-many-rejects'],
    ['the header again', 'bad-msisdn'],
  ])('%s has %s, and messages beside it', (kind, code) => {
    expect([...seenIn(kind)]).toEqual(expect.arrayContaining([code, 'message']));
  });

  test('large messages are those that no broker takes, and those that just fit', () => {
    const seen = seenIn('large messages', { ...SETTINGS, maxLineBytes: 1_048_576 });
    expect([...seen].sort()).toEqual(['line-too-long', 'message']);
  });
});

describe('the files of a round', () => {
  const files = Array.from({ length: 200 }, (_, index) => fuzzFile(3, 1, index, FEEDS, SETTINGS));

  test('are the same for the same seed, and others for another', () => {
    expect(fuzzFile(3, 1, 17, FEEDS, SETTINGS)).toEqual(files[17]);
    expect(fuzzFile(4, 1, 17, FEEDS, SETTINGS).content).not.toEqual(files[17]?.content);
    expect(fuzzFile(3, 2, 17, FEEDS, SETTINGS).kind).not.toEqual(files[17]?.kind);
    expect(roundSettings(3, 1)).toEqual(roundSettings(3, 1));
  });

  test('are of every kind, some of them damaged, with every code among them', () => {
    expect(new Set(files.map(({ kind }) => kind))).toEqual(new Set(KIND_NAMES));
    expect(files.filter(({ mutated }) => mutated).length).toBeGreaterThan(40);
    const codes = files.flatMap(({ content, name, feed }) =>
      expectedOutcome(content, name, feed, SETTINGS).rows.map((row) => (row.kind === 'reject' ? row.code : 'message')),
    );
    expect([...new Set(codes)].sort()).toEqual(['message', ...REJECT_CODES].sort());
  });

  test('are compressed here and there, in one piece or in several', () => {
    const compressed = files.filter(({ name }) => name.endsWith('.csv.gz'));
    expect(compressed.length).toBeGreaterThan(20);
    for (const { stored, content } of compressed) expect(gunzipSync(stored)).toEqual(content);
    for (const { name, stored, content } of files)
      if (!compressed.some((each) => each.name === name)) expect(stored).toBe(content);
  });

  test('have names that their feed claims, each another one, and no longer than a file system allows', () => {
    expect(new Set(files.map(({ name }) => name)).size).toBe(files.length);
    for (let seed = 0; seed < 500; seed++) {
      const suffix = seed % 3 ? '.csv' : '.csv.gz';
      const name = claimedName(seed % 2 ? 'data' : 'voice', seed, new Random(seed), suffix);
      expect(matchFeed(FEEDS, name)?.name).toBe(seed % 2 ? 'data' : 'voice');
      expect(isTemporaryName(name), name).toBe(false);
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
      expect(Buffer.from(name).toString()).toBe(name);
      expect(name).not.toMatch(/[/\0]/);
      expect(fileKeyOf(jobIdOf(name))).toBe(name);
    }
  });

  test('have subscriber numbers that are found in a log', () => {
    const clean = files.find(({ kind, mutated }) => kind === 'clean' && !mutated);
    expect(SUBSCRIBER_NUMBER.test(clean?.content.toString() ?? '')).toBe(true);
    expect(files.filter(({ name }) => SUBSCRIBER_NUMBER.test(name))).toEqual([]);
  });
});

test('a name that must be left alone is claimed by no feed, or temporary', () => {
  for (let seed = 0; seed < 200; seed++) {
    const name = strangeName(seed, new Random(seed)).toString();
    expect(isTemporaryName(name) || matchFeed(FEEDS, name) === undefined, name).toBe(true);
  }
});

describe('a damaged file', () => {
  const content = Buffer.from('msisdn,tower_id\n1,2\n3,4\n5,6\n'.repeat(20));

  test('is another one, mostly behind its first line, and the original stays', () => {
    const before = Buffer.from(content);
    const mutated = Array.from({ length: 300 }, (_, seed) => mutate(content, new Random(seed), Buffer.from('other\n')));
    expect(content).toEqual(before);
    expect(mutated.filter((each) => !each.equals(content)).length).toBeGreaterThan(280);
    const wholeHeaders = mutated.filter((each) => each.toString('latin1').startsWith('msisdn,tower_id\n'));
    expect(wholeHeaders.length).toBeGreaterThan(150);
    expect(wholeHeaders.length).toBeLessThan(290);
    expect(mutate(content, new Random(5), content)).toEqual(mutate(content, new Random(5), content));
  });

  test('may have been empty, and never grows without end', () => {
    for (let seed = 0; seed < 200; seed++) {
      const large = Buffer.alloc(MUTATED_MAX_BYTES, 'x,\n');
      expect(mutate(large, new Random(seed), large).length).toBeLessThanOrEqual(MUTATED_MAX_BYTES);
      mutate(Buffer.alloc(0), new Random(seed), Buffer.alloc(0));
    }
  });
});
