import { gzipSync } from 'node:zlib';
import type { Feed } from '@cdr/core/feeds';
import { Random } from '../chaos/random.ts';
import type { DecidingSettings } from './expected-outcome.ts';
import { KIND_NAMES, makeContent } from './fuzz-content.ts';
import { claimedName } from './fuzz-name.ts';
import { mutate, MUTATED_MAX_BYTES } from './mutate.ts';

/** A file of a round. */
export interface FuzzFile {
  readonly index: number;
  readonly name: string;
  readonly feed: Feed;
  /** What it was made as, and whether it was damaged afterwards. */
  readonly kind: string;
  readonly mutated: boolean;
  readonly content: Buffer;
  /** What lies on the server: the content, or what gzip made of it. */
  readonly stored: Buffer;
}

/** The settings of a round's deployment that are not the same in every round. */
export interface RoundSettings extends DecidingSettings {
  readonly compression: 'none' | 'gzip' | 'lz4' | 'zstd';
}

const MUTATED_SHARE = 0.4;
const COMPRESSED_SHARE = 0.2;

/** Drawn from seed and round alone. */
export function roundSettings(seed: number, round: number): RoundSettings {
  const random = new Random(seed * 7_919 + round * 104_729 + 1);
  return {
    fieldChecks: random.pick(['strict', 'strict', 'off']),
    maxLineBytes: random.pick([200, 1_000, 8_191, 8_192, 1_048_576, 1_048_576]),
    maxRejectRatio: random.pick([0.05, 0.5, 0.5, 1]),
    transactionMaxRecords: random.pick([3, 10, 50, 110, 500_000]),
    compression: random.pick(['none', 'none', 'gzip', 'lz4', 'zstd']),
  };
}

/** The n-th file of a round: the same for the same seed, round, number and settings. */
export function fuzzFile(
  seed: number,
  round: number,
  index: number,
  feeds: readonly Feed[],
  settings: DecidingSettings,
): FuzzFile {
  const random = new Random(seed * 15_485_863 + round * 32_452_843 + index * 49_979_687);
  const feed = random.pick(feeds);
  const draft = { random, feed, maxLineBytes: settings.maxLineBytes };
  // every kind comes, whatever the dice say
  const kind = KIND_NAMES[(index + round) % KIND_NAMES.length] ?? 'clean';
  const compressed = random.next() < COMPRESSED_SHARE;
  const name = claimedName(feed.name, index, random.fork(), compressed ? '.csv.gz' : '.csv');
  const made = makeContent(kind, draft);
  const mutated = made.length <= MUTATED_MAX_BYTES && random.next() < MUTATED_SHARE;
  const other = mutated
    ? makeContent(random.pick(['clean', 'quoted', 'bytes that are not UTF-8', 'soup']), draft)
    : made;
  const content = mutated ? mutate(made, random, other) : made;
  const stored = compressed ? gzipped(content, random) : content;
  return { index, name, feed, kind, mutated, content, stored };
}

/** One gzip stream or several behind one another, which are one file all the same. */
function gzipped(content: Buffer, random: Random): Buffer {
  const cuts = [
    0,
    content.length,
    ...Array.from({ length: random.between(0, 2) }, () => random.between(0, content.length)),
  ];
  cuts.sort((a, b) => a - b);
  const level = random.pick([0, 1, 9]);
  return Buffer.concat(cuts.slice(1).map((end, i) => gzipSync(content.subarray(cuts[i], end), { level })));
}
