import { expect, test } from 'vitest';
import { fileKeyOfArgument, nameFilter } from './file-key.ts';

test('a whole path is the key below the directory', () => {
  expect(fileKeyOfArgument('/upload/a.csv', '/upload/')).toBe('a.csv');
  expect(fileKeyOfArgument('/upload/in/a.csv', '/upload/in')).toBe('a.csv');
  expect(fileKeyOfArgument('a.csv', '/upload')).toBe('a.csv');
  expect(fileKeyOfArgument('/uploads/a.csv', '/upload')).toBe('/uploads/a.csv');
});

test('a pattern without wildcards fits a part of the name', () => {
  expect(nameFilter('voice')('cdr_voice_1.csv')).toBe(true);
  expect(nameFilter('voice')('cdr_data_1.csv')).toBe(false);
});

test('a pattern with wildcards fits the whole name, other signs standing for themselves', () => {
  expect(nameFilter('cdr_*_2024????.csv')('cdr_voice_20240101.csv')).toBe(true);
  expect(nameFilter('cdr_*')('x_cdr_1')).toBe(false);
  expect(nameFilter('a.c*')('abc')).toBe(false);
  expect(nameFilter('(a)[b]*')('(a)[b].csv')).toBe(true);
});
