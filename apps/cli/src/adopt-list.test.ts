import { builtInFeeds } from '@cdr/core/feeds';
import { expect, test } from 'vitest';
import { parseAdoptList } from './adopt-list.ts';

const feeds = builtInFeeds({ dataTopic: 'cdr-data', voiceTopic: 'cdr-voice' });

test('names, one a line, each once, whatever ends the lines', () => {
  const text = '\ufeffcdr_data_20240101_000000.csv\r\n\ncdr_voice_20240101_000000.csv\ncdr_data_20240101_000000.csv';
  expect(parseAdoptList(text, feeds)).toEqual({
    names: ['cdr_data_20240101_000000.csv', 'cdr_voice_20240101_000000.csv'],
    problems: [],
  });
});

test('rubbish is reported by its line', () => {
  const text = 'cdr_data_1.csv\nPK\u0003\u0004\n/upload/cdr_data_2.csv\nreport.pdf\n.cdr_data_3.csv\ncdr_voice_1.csv\n';
  const { names, problems } = parseAdoptList(text, feeds);
  expect(names).toEqual(['cdr_data_1.csv', 'cdr_voice_1.csv']);
  expect(problems.map(({ line, problem }) => `${line} ${problem}`)).toEqual([
    '2 is no text',
    '3 has a directory; names only',
    '4 belongs to no feed',
    '5 is a temporary name',
  ]);
});
