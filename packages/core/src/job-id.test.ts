import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileKeyOf, jobIdOf } from './job-id.ts';

/** Any text, with many of the characters that mean something to BullMQ, to Redis or to our escaping. */
const fileKey = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(':', '/', '~', '0', '3', 'a', 'A', 'f', '-', '.', '_', ' ', '\0', 'é', '😀') }),
  fc.constantFrom('', '0', '123', ':', '/', '~', '~3a', 'f-', 'delayed', 'wait', 'meta', 'failed', '0:1', '__proto__'),
);

describe('the id of a job', () => {
  it('is made of what BullMQ takes, and never one of its own names', () => {
    fc.assert(
      fc.property(fileKey, (key) => {
        expect(jobIdOf(key)).toMatch(/^f-[A-Za-z0-9._~-]*$/);
      }),
    );
  });

  it('says which file it is of', () => {
    fc.assert(
      fc.property(fileKey, (key) => {
        expect(fileKeyOf(jobIdOf(key))).toBe(key);
      }),
      { numRuns: 500 },
    );
  });

  it('is another for another file', () => {
    fc.assert(
      fc.property(fileKey, fileKey, (one, other) => {
        expect(jobIdOf(one) === jobIdOf(other)).toBe(one === other);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['cdr_data_20241207_150000.csv', 'f-cdr_data_20241207_150000.csv'],
    ['delayed', 'f-delayed'],
    ['', 'f-'],
    ['42', 'f-42'],
    ['a:b', 'f-a~3ab'],
    ['a~3ab', 'f-a~7e3ab'],
    ['dir/é x', 'f-dir~2f~c3~a9~20x'],
    ['\n', 'f-~0a'],
  ])('of %j is %s, in this release and the next', (key, id) => {
    // another id for the same file is another lock for it
    expect(jobIdOf(key)).toBe(id);
  });
});

describe('an id that is not one of ours', () => {
  it.each([
    '',
    'f',
    'F-a',
    'cdr_data_1.csv',
    'repeat:abc',
    'f-a:b',
    'f-a b',
    'f-~',
    'f-~2',
    'f-~2F',
    'f-~zz',
    'f-~61',
    'f-~ff',
    'f-~c3',
    'f-é',
    'f-a\n',
    ' f-a',
  ])('%j is of no file', (id) => {
    expect(fileKeyOf(id)).toBeUndefined();
  });

  it('is of no file, unless it is exactly what that file would get', () => {
    const garbage = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('f', '-', '~', '2', 'e', 'F', ':') }));
    fc.assert(
      fc.property(garbage, fc.boolean(), (text, prefixed) => {
        const id = prefixed ? `f-${text}` : text;
        const key = fileKeyOf(id);
        if (key !== undefined) expect(jobIdOf(key)).toBe(id);
        if (!id.startsWith('f-')) expect(key).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});
