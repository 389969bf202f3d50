/** The time in a file's name (`cdr_data_YYYYMMDD_HHMMSS.csv`) as digits that sort, or '' when there is none. */
export function timeInName(fileName: string): string {
  const match = /(\d{8})_(\d{6})/.exec(fileName);
  return match ? `${match[1]}${match[2]}` : '';
}

/** Oldest first by the time in the name, then by name, so that no feed waits for all of another. */
export function byTimeInName(a: { readonly name: string }, b: { readonly name: string }): number {
  const timeA = timeInName(a.name);
  const timeB = timeInName(b.name);
  if (timeA !== timeB) return timeA < timeB ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
