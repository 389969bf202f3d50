import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { transactionalIdOf } from './transactional-id.ts';

describe('the transactional id of a file', () => {
  it.each([
    ['cdr-ledger', 'cdr_data_20241207_150000.csv', 'cdr-Zlloix7Z5cWRGGWO1pPG4VmwLgdLNeae'],
    ['cdr-ledger', '', 'cdr-HYHRnHZJiwmBbGZ2VqzfndS-phG78cgK'],
  ])('of %s and %j is the same in this release and the next', (topic, file, id) => {
    // two releases that call a file differently do not fence each other
    expect(transactionalIdOf(topic, file)).toBe(id);
  });

  it('is short, plain, and another for another file or deployment', () => {
    const topic = fc.stringMatching(/^[a-z0-9._-]{1,20}$/);
    const file = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(topic, file, topic, file, (topicA, fileA, topicB, fileB) => {
        const a = transactionalIdOf(topicA, fileA);
        expect(a).toMatch(/^cdr-[A-Za-z0-9_-]{32}$/);
        expect(a === transactionalIdOf(topicB, fileB)).toBe(topicA === topicB && fileA === fileB);
        // where the topic's name ends and the file's begins
        if (fileA && !fileA.includes('\0')) expect(transactionalIdOf(topicA + fileA, '')).not.toBe(a);
      }),
    );
  });
});
