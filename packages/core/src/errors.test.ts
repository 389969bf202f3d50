import { describe, expect, it } from 'vitest';
import { CdrError, describeError, errorCodeOf } from './errors.ts';

describe('a CdrError', () => {
  it('has a code, a hint and a cause', () => {
    const cause = new Error('ECONNREFUSED');
    const error = new CdrError('sftp-unavailable', 'connecting to sftp:22', { hint: 'Check SFTP_HOST.', cause });
    expect(error).toMatchObject({ name: 'CdrError', code: 'sftp-unavailable', hint: 'Check SFTP_HOST.', cause });
    expect(error).toBeInstanceOf(Error);
  });

  it('has no cause at all when there is none', () => {
    expect('cause' in new CdrError('fenced', 'x')).toBe(false);
    expect('cause' in new CdrError('fenced', 'x', { cause: undefined })).toBe(false);
    expect(new CdrError('fenced', 'x').hint).toBeUndefined();
  });

  it.each<[unknown, string]>([
    [new CdrError('fenced', 'x'), 'fenced'],
    [new Error('fenced'), 'unexpected'],
    [Object.assign(new Error('x'), { code: 'fenced' }), 'unexpected'],
    ['fenced', 'unexpected'],
    [undefined, 'unexpected'],
  ])('%s has code %s', (thrown, code) => {
    expect(errorCodeOf(thrown)).toBe(code);
  });
});

describe('the one line that describes an error', () => {
  const chain = (...messages: string[]): Error | undefined =>
    messages.reduceRight<Error | undefined>((cause, message) => new Error(message, { cause }), undefined);

  it.each<[string, unknown, string]>([
    ['an error', new Error('a'), 'a'],
    ['a cause', chain('reading', 'ECONNRESET'), 'reading: ECONNRESET'],
    ['the innermost cause', chain('reading', 'in between', 'ECONNRESET'), 'reading: ECONNRESET'],
    ['a cause that the message has', chain('reading: ECONNRESET', 'ECONNRESET'), 'reading: ECONNRESET'],
    ['a cause without a message', chain('reading', ''), 'reading'],
    ['a cause that is no error', new Error('reading', { cause: 'why' }), 'reading'],
    ['a hint', new CdrError('fenced', 'a', { hint: 'Do b.' }), 'a. Do b.'],
    [
      'a hint behind the cause',
      new CdrError('fenced', 'a', { hint: 'Do b.', cause: chain('between', 'root') }),
      'a: root. Do b.',
    ],
    ['an empty hint', new CdrError('fenced', 'a', { hint: '' }), 'a'],
    ['a string', 'thrown', 'thrown'],
    ['nothing', undefined, 'undefined'],
  ])('%s', (_, thrown, line) => {
    expect(describeError(thrown)).toBe(line);
  });

  it('ends, when causes go in a circle', () => {
    const a = new Error('a');
    const b = new Error('b', { cause: a });
    a.cause = b;
    expect(describeError(a)).toMatch(/^a/);
  });
});
