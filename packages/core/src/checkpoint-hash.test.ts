import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CheckpointHash } from './checkpoint-hash.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('the hash of what is before a checkpoint', () => {
  it('is that of the prefix, however it came, and though the buffers were used again', () => {
    const file = fc.uint8Array({ maxLength: 400, size: 'max' });
    // bytes of each chunk, and how far the checkpoint moves behind it, as a share of what was read
    const reads = fc.array(fc.tuple(fc.nat({ max: 90 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean()), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(file, reads, (bytes, steps) => {
        const hash = new CheckpointHash();
        let read = 0;
        let checkpoint = 0;
        for (const [length, share, moves] of steps) {
          const chunk = Buffer.from(bytes.subarray(read, read + length));
          read += chunk.length;
          hash.push(chunk);
          if (moves) {
            checkpoint += Math.floor((read - checkpoint) * share);
            hash.advanceTo(checkpoint);
          }
          hash.keep();
          chunk.fill(0xff);
          expect(hash.digest()).toBe(sha256(bytes.subarray(0, checkpoint)));
        }
        hash.advanceTo(read);
        expect(hash.digest()).toBe(sha256(bytes.subarray(0, read)));
      }),
      { numRuns: 300 },
    );
  });

  it('goes over several chunks at once, and stays where it is', () => {
    const hash = new CheckpointHash();
    for (const text of ['ab', '', 'c', 'def']) hash.push(Buffer.from(text));
    expect(hash.digest()).toBe(sha256(Buffer.alloc(0)));
    hash.advanceTo(4);
    hash.advanceTo(4);
    expect(hash.digest()).toBe(sha256(Buffer.from('abcd')));
    hash.push(Buffer.from('g'));
    hash.advanceTo(7);
    expect(hash.digest()).toBe(sha256(Buffer.from('abcdefg')));
  });

  it('cannot be of what was not read', () => {
    const hash = new CheckpointHash();
    expect(() => hash.advanceTo(1)).toThrow(RangeError);
    hash.push(Buffer.from('abc'));
    expect(() => hash.advanceTo(4)).toThrow('byte offset 4 is beyond what was read');
  });
});
