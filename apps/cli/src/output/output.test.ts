import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { Output } from './output.ts';

test('text of strangers drives no terminal, in text or JSON', () => {
  let written = '';
  const stdout = new Writable({
    decodeStrings: false,
    write: (text: string, _, done) => {
      written += text;
      done();
    },
  });
  const stderr = { write: (text: string) => (written += text) };
  const name = 'a\u001b[2J\u009b1m\n.csv';
  const text = new Output({ stdout, stderr }, false);
  text.line(name, ' ', { text: name, style: 'red' });
  text.table([name], [[name]]);
  text.note(name);
  new Output({ stdout, stderr }, true).answer({ name, offset: 5n }, () => undefined);
  // no colours either, since this is no terminal
  expect(written.match(/\p{Cc}/gu)?.filter((control) => control !== '\n')).toEqual([]);
  expect(JSON.parse(written.slice(written.indexOf('{')))).toEqual({ name, offset: '5' });
});
