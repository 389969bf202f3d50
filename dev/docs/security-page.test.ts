import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/security.md'), 'utf8');

interface NamedTest {
  readonly row: string;
  readonly file: string;
  /** Undefined where the whole file is meant. */
  readonly name: string | undefined;
}

/** The last cells of the tables whose last column is called Test. */
function rows(): { row: string; cell: string }[] {
  return page.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    const [, row = '', , cell = ''] = cells;
    return cells.length === 5 && cell !== 'Test' && !/^-+$/.test(cell) ? [{ row, cell }] : [];
  });
}

function namedTests(): NamedTest[] {
  return rows().flatMap(({ row, cell }) =>
    cell.split('<br>').map((each) => {
      const [, file = '', name] = /^\s*`([^`]+)`(?:: (.*\S))?\s*$/.exec(each) ?? [];
      return { row, file, name };
    }),
  );
}

test('docs/security.md names for each case a test that is there', () => {
  const wrong = namedTests().filter(({ file, name }) => {
    const source = path.join(root, file);
    if (!/\.test\.ts$/.test(file) || !existsSync(source)) return true;
    return name !== undefined && !readFileSync(source, 'utf8').includes(name);
  });
  expect(wrong).toEqual([]);
  expect(rows().length).toBeGreaterThan(50);
});
