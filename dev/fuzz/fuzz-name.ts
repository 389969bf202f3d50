import { HOSTILE_NAMES } from '../../tests/support/hostile-names.ts';
import type { Random } from '../chaos/random.ts';

/** Of the file systems that matter. */
const NAME_MAX_BYTES = 255;
/** First and last code points of blocks with whatever a name may have but a slash and a NUL. */
const BLOCKS = [
  [0x01, 0x2e],
  [0x30, 0x7f],
  [0x80, 0x24f],
  [0x300, 0x36f],
  [0x5d0, 0x6ff],
  [0x2000, 0x206f],
  [0x4e00, 0x4fff],
  [0xfb00, 0xfdff],
  [0xfe00, 0xfeff],
  [0xff01, 0xff9f],
  [0x1f300, 0x1f6ff],
  [0xe0001, 0xe007f],
] as const;

/** A name that the feed claims, of at most 255 bytes, with `number` in it so that no two are the same. */
export function claimedName(
  feed: 'data' | 'voice',
  number: number,
  random: Random,
  suffix: '.csv' | '.csv.gz' = '.csv',
): string {
  const before = `cdr_${feed}_${number}_`;
  const room = NAME_MAX_BYTES - Buffer.byteLength(before) - suffix.length;
  const middle = random.next() < 0.6 ? random.pick(HOSTILE_NAMES) : randomText(random);
  return `${before}${fit(middle, room)}${suffix}`;
}

/** A name that must be left alone: a temporary one, one of no feed, or one that is not UTF-8. */
export function strangeName(number: number, random: Random): Buffer {
  return random.pick([
    Buffer.from(`.cdr_data_${number}.csv`),
    Buffer.from(`cdr_data_${number}.csv.part`),
    Buffer.from(`cdr_voice_${number}.csv~`),
    Buffer.from(`CDR_DATA_${number}.csv`),
    Buffer.from(`cdr_data_${number}.CSV`),
    Buffer.from(` cdr_data_${number}.csv`),
    Buffer.from(`cdr_voice_${number}.csv\n`),
    Buffer.from(`cdr_data${number}.csv`),
    Buffer.from(`ｃdr_data_${number}.csv`),
    Buffer.from(`cdr_data_${number}_\ufffd.csv`),
    Buffer.concat([Buffer.from(`cdr_data_${number}_`), Buffer.from([0xe9, 0xff]), Buffer.from('.csv')]),
    Buffer.concat([Buffer.from(`cdr_voice_${number}_`), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('.csv')]),
  ]);
}

function randomText(random: Random): string {
  const length = random.between(0, random.next() < 0.1 ? NAME_MAX_BYTES : 20);
  const codePoints = Array.from({ length }, () => {
    const [from, to] = random.pick(BLOCKS);
    return random.between(from, to);
  });
  return String.fromCodePoint(...codePoints);
}

/** As many whole characters as there is room for. */
function fit(text: string, maxBytes: number): string {
  let fitting = '';
  for (const character of text) {
    if (Buffer.byteLength(fitting + character) > maxBytes) break;
    fitting += character;
  }
  return fitting;
}
