import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rejectMessage, type RejectedRow } from './rejects.ts';

const rejected = (raw: Uint8Array): RejectedRow => ({ line: 7, code: 'too-few-fields', reason: '3 of 8 fields', raw });
const messageOf = (raw: Uint8Array) =>
  JSON.parse(rejectMessage('cdr_data_1.csv', rejected(raw))) as { raw: string; raw_base64?: string };

describe('the message of a reject', () => {
  it('says which line of which file, why, and what stood there', () => {
    expect(messageOf(Buffer.from('a,"b",é\t'))).toEqual({
      file: 'cdr_data_1.csv',
      line: 7,
      code: 'too-few-fields',
      reason: '3 of 8 fields',
      raw: 'a,"b",é\t',
    });
  });

  it.each<[string, Buffer, string]>([
    ['a byte of Latin-1', Buffer.from('caf\xe9,1', 'latin1'), 'caf\ufffd,1'],
    ['a character cut in two', Buffer.from('é').subarray(0, 1), '\ufffd'],
    ['a surrogate', Buffer.from([0xed, 0xa0, 0x80]), '\ufffd\ufffd\ufffd'],
    ['an overlong slash', Buffer.from([0xc0, 0xaf]), '\ufffd\ufffd'],
  ])('has the bytes beside the text, where they are not UTF-8: %s', (_, raw, text) => {
    expect(messageOf(raw)).toMatchObject({ raw: text, raw_base64: raw.toString('base64') });
  });

  it('lets nobody lose a byte', () => {
    const raw = fc.oneof(
      fc.uint8Array(),
      fc.string({ unit: 'binary' }).map((text) => new Uint8Array(Buffer.from(text))),
    );
    fc.assert(
      fc.property(raw, fc.uint8Array(), (bytes, around) => {
        // a view into a larger buffer, as the CSV step hands out
        const view = Buffer.concat([around, bytes, around]).subarray(around.length, around.length + bytes.length);
        const message = messageOf(view);
        const back = Buffer.from(
          message.raw_base64 ?? message.raw,
          message.raw_base64 === undefined ? 'utf8' : 'base64',
        );
        expect(back.equals(bytes)).toBe(true);
      }),
    );
  });

  it('does not carry the base64 of what is text, a BOM and a replacement character included', () => {
    for (const text of ['', '\ufeffa', '\ufffd', '😀', '\0'])
      expect(messageOf(Buffer.from(text))).toEqual(
        expect.not.objectContaining({ raw_base64: expect.anything() as string }),
      );
  });
});
