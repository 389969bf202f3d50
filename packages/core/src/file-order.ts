/** The time in a file's name (`cdr_data_YYYYMMDD_HHMMSS.csv`) as digits that sort, or '' when there is none. */
export function timeInName(fileName: string): string {
  const match = /(\d{8})_(\d{6})/.exec(fileName);
  return match ? `${match[1]}${match[2]}` : '';
}

/**
 * What to compare, as text, to have files in the order of byTimeInName. Made once for each file: to look for the time in
 * each comparison took ten seconds for a million files.
 */
export function orderOf(fileName: string): string {
  // a space is before every digit: names without a time come first
  return `${timeInName(fileName)} ${fileName}`;
}

/** Oldest first by the time in the name, then by name, so that no feed waits for all of another. */
export function byTimeInName(a: { readonly name: string }, b: { readonly name: string }): number {
  const orderA = orderOf(a.name);
  const orderB = orderOf(b.name);
  return orderA < orderB ? -1 : orderA > orderB ? 1 : 0;
}
