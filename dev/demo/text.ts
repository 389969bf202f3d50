/** A whole number as people read it: 420,000. */
export function count(number: number): string {
  return Math.round(number).toLocaleString('en-US');
}

/** A duration in seconds: 4.2 s. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Rows of cells as lines: the first column flush left, the others flush right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart((widths[column] ?? 0) + 3)))
      .join(''),
  );
}
