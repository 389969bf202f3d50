import { readFileSync } from 'node:fs';
import path from 'node:path';
import { builtInFeeds } from '@cdr/core/feeds';
import { REJECT_CODES } from '@cdr/core/rejects';
import { expect, test } from 'vitest';

const page = readFileSync(path.resolve(import.meta.dirname, '../../docs/rejects.md'), 'utf8');

test('docs/rejects.md has every code, in the order in which a row is looked at, with an example of it', () => {
  const headings = [...page.matchAll(/^### `([a-z0-9-]+)`$/gm)].map(([, code]) => code);
  const examples = [...page.matchAll(/"code": "([a-z0-9-]+)"/g)].map(([, code]) => code);
  expect(headings).toEqual(REJECT_CODES);
  expect(examples).toEqual(REJECT_CODES);
});

test('its table of checks names every column of the feeds once, under the check it has', () => {
  const rows = page.split('\n').flatMap((line) => {
    const [, check = '', data = '', voice = ''] = line.split('|').map((cell) => cell.trim().replaceAll('`', ''));
    return /^(bad-(msisdn|integer|time)|known values|none)$/.test(check) ? [{ check, data, voice }] : [];
  });
  const namesOf = { msisdn: 'bad-msisdn', integer: 'bad-integer', 'date-time': 'bad-time' } as const;
  for (const feed of builtInFeeds({ dataTopic: 'data', voiceTopic: 'voice' })) {
    const documented = rows.flatMap((row) => row[feed.name].split(', ').map((column) => [column, row.check]));
    const declared = feed.columns.map((column) => {
      const check = feed.checks[column];
      return [column, check === undefined ? 'none' : typeof check === 'string' ? namesOf[check] : 'known values'];
    });
    expect(documented.toSorted()).toEqual(declared.toSorted());
  }
});
