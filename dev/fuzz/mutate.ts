import type { Random } from '../chaos/random.ts';

/** Nothing grows beyond this: a file that is read in one piece is cut into transactions at the same rows every time. */
export const MUTATED_MAX_BYTES = 250_000;

const LF = 0x0a;
const LONGEST_RANGE = 200;
/** What parsers stumble over, byte by byte (latin1). */
const TOKENS = [
  '"',
  '""',
  '"\r\n"',
  '",',
  ',"',
  ',',
  '\n',
  '\r',
  '\r\n',
  '\n\n',
  '\0',
  '\x1a',
  '\xff',
  '\xc3',
  '\xc3\xa9',
  '\xef\xbb\xbf',
  '\xed\xa0\x80',
  '\xe2\x80\xa8',
  '\\',
  '\\"',
  "'",
  ';',
  '\t',
  '=1+1',
];

type Mutation = (content: Buffer, at: number, random: Random, other: Buffer) => Buffer;

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'bit-flip': (content, at, random) => {
    const mutated = Buffer.from(content);
    mutated[at] = (mutated[at] ?? 0) ^ (1 << random.between(0, 7));
    return mutated;
  },
  deletion: (content, at, random) => splice(content, at, random.between(1, LONGEST_RANGE), Buffer.alloc(0)),
  duplication: (content, at, random) => {
    const range = content.subarray(at, at + random.between(1, LONGEST_RANGE));
    return splice(content, at, 0, range);
  },
  insertion: (content, at, random) => splice(content, at, 0, Buffer.from(random.pick(TOKENS), 'latin1')),
  replacement: (content, at, random) =>
    splice(content, at, random.between(1, 4), Buffer.from(random.pick(TOKENS), 'latin1')),
  truncation: (content, at) => content.subarray(0, at),
  splice: (content, at, random, other) =>
    Buffer.concat([content.subarray(0, at), other.subarray(random.between(0, other.length))]),
  'a piece of another file': (content, at, random, other) => {
    const from = random.between(0, other.length);
    return splice(content, at, 0, other.subarray(from, from + random.between(1, LONGEST_RANGE)));
  },
};

/**
 * Damages a file in one to four places, mostly behind its first line: a file whose header is broken says little of rows.
 * Gives a new buffer of at most MUTATED_MAX_BYTES; the same for the same random numbers.
 * @param other another file, whose pieces may get into this one
 */
export function mutate(content: Buffer, random: Random, other: Buffer): Buffer {
  let mutated = Buffer.from(content);
  const times = random.between(1, 4);
  for (let i = 0; i < times; i++) {
    const mutation = MUTATIONS[random.pick(Object.keys(MUTATIONS))];
    const firstLine = mutated.indexOf(LF) + 1;
    const inRows = random.next() < 0.85;
    const from = inRows ? Math.min(firstLine, mutated.length) : 0;
    const at = random.between(from, Math.max(from, inRows ? mutated.length - 1 : firstLine));
    if (mutation) mutated = Buffer.from(mutation(mutated, at, random, other));
  }
  return mutated.subarray(0, MUTATED_MAX_BYTES);
}

function splice(content: Buffer, at: number, deleted: number, inserted: Buffer): Buffer {
  return Buffer.concat([content.subarray(0, at), inserted, content.subarray(at + deleted)]);
}
