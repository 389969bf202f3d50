/** The time in a file's name (`cdr_data_YYYYMMDD_HHMMSS.csv`) as digits that sort, or '' when there is none. */
export function timeInName(fileName: string): string {
  const match = /(\d{8})_(\d{6})/.exec(fileName);
  return match ? `${match[1]}${match[2]}` : '';
}

/**
 * Items in the order of their files: oldest first by the time in the name, then by name, so that no feed waits for all of
 * another. Names without a time come first.
 */
export function inOrder<Item>(items: readonly Item[], nameOf: (item: Item) => string): Item[] {
  // the time is found once for each file: to look for it in each comparison took ten seconds for a million files
  const timed = items.map((item) => ({ time: Number(timeInName(nameOf(item))), name: nameOf(item), item }));
  timed.sort((a, b) => a.time - b.time || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return timed.map(({ item }) => item);
}
