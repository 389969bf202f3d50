import { styleText } from 'node:util';
import { expect, test } from 'vitest';
import { tableLines } from './table.ts';

test('columns are as wide as their widest cell, numbers to the right', () => {
  expect(
    tableLines(
      ['file', 'rows', 'state'],
      [
        ['a.csv', '1,000', 'ingested'],
        ['longer.csv', '7', ''],
      ],
    ),
  ).toEqual(['file         rows  state', 'a.csv       1,000  ingested', 'longer.csv      7']);
});

test('colours take no room', () => {
  const red = styleText('red', 'no', { validateStream: false });
  expect(tableLines(['a', 'b'], [[red, 'x']])).toEqual(['a   b', `${red}  x`]);
});
