const MULTIPLIER = 0x5bd1e995;
const SEED = 0x9747b28c;

/**
 * Murmur2 of bytes[start .. end) as Java's client computes it, 32 bits signed, so that a key lands in the partition that
 * any other producer would choose. Source: org.apache.kafka.common.utils.Utils.murmur2.
 */
export function murmur2(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  let hash = (SEED ^ length) | 0;
  let at = start;
  const wordsEnd = start + (length & ~3);
  while (at < wordsEnd) {
    let word = byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> 24;
    word = Math.imul(word, MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ word;
    at += 4;
  }
  const rest = length & 3;
  if (rest >= 3) hash ^= byte(bytes, at + 2) << 16;
  if (rest >= 2) hash ^= byte(bytes, at + 1) << 8;
  if (rest >= 1) {
    hash ^= byte(bytes, at);
    hash = Math.imul(hash, MULTIPLIER);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MULTIPLIER);
  hash ^= hash >>> 15;
  return hash;
}

/** The partition of a key among `count`, by the rule of Java's default partitioner. */
export function partitionOfKey(bytes: Uint8Array, start: number, end: number, count: number): number {
  return (murmur2(bytes, start, end) & 0x7fffffff) % count;
}

function byte(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}
