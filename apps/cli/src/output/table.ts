import { stripVTControlCharacters } from 'node:util';

/** Columns as wide as their widest cell, two spaces between them; numbers to the right. Cells may be coloured. */
export function tableLines(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) =>
    Math.max(widthOf(title), ...rows.map((row) => widthOf(row[column] ?? ''))),
  );
  const numeric = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[\d,.]*%?$/.test(bare(row[column]))),
  );
  return [head, ...rows].map((row) =>
    head
      .map((_, column) => {
        const cell = row[column] ?? '';
        const gap = ' '.repeat((widths[column] ?? 0) - widthOf(cell));
        return numeric[column] ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd(),
  );
}

function bare(cell: string | undefined): string {
  return stripVTControlCharacters(cell ?? '');
}

function widthOf(cell: string): number {
  return [...bare(cell)].length;
}
