import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CheckpointHash } from './checkpoint-hash.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('the hash of what is before a checkpoint', () => {
  it('is that of the prefix, however it came, and though the buffers were used again', () => {
    const file = fc.uint8Array({ maxLength: 400, size: 'max' });
    // bytes of each chunk, and how far the checkpoint moves behind it, as a share of what was read
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    // and how much of the rest is done with, likewise
    const reads = fc.array(fc.tuple(fc.nat({ max: 90 }), share, fc.boolean(), fc.option(share, { nil: 0 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(file, reads, (bytes, steps) => {
        const hash = new CheckpointHash();
        let read = 0;
        let checkpoint = 0;
        let doneTo = 0;
        for (const [length, moved, moves, done] of steps) {
          const chunk = Buffer.from(bytes.subarray(read, read + length));
          read += chunk.length;
          hash.push(chunk);
          if (moves) {
            const from = Math.max(checkpoint, doneTo);
            checkpoint = from + Math.floor((read - from) * moved);
            hash.advanceTo(checkpoint);
          }
          doneTo = Math.max(checkpoint, doneTo) + Math.floor((read - Math.max(checkpoint, doneTo)) * done);
          hash.keep(doneTo);
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

  it('keeps nothing of what is done with, however much that is', () => {
    const hash = new CheckpointHash();
    const chunk = Buffer.alloc(1_000_000);
    hash.push(Buffer.from('header\n'));
    hash.advanceTo(7);
    const before = process.memoryUsage().arrayBuffers;
    for (let read = 7 + chunk.length, i = 0; i < 300; read += chunk.length, i++) {
      hash.push(chunk);
      hash.keep(read);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
    expect(hash.digest()).toBe(sha256(Buffer.from('header\n')));
    expect(() => hash.advanceTo(8)).toThrow('byte offset 8 is in what was done with');
    hash.advanceTo(7 + 300 * chunk.length);
    expect(hash.digest()).toBe(sha256(Buffer.concat([Buffer.from('header\n'), Buffer.alloc(300 * chunk.length)])));
  });

  it('cannot be of what was not read', () => {
    const hash = new CheckpointHash();
    expect(() => hash.advanceTo(1)).toThrow(RangeError);
    hash.push(Buffer.from('abc'));
    expect(() => hash.advanceTo(4)).toThrow('byte offset 4 is beyond what was read');
  });
});
