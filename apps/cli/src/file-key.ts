/** The key of a file as an operator names it: its path below the directory that is scanned, or the whole path. */
export function fileKeyOfArgument(argument: string, remotePath: string): string {
  const directory = `${remotePath.replace(/\/+$/, '')}/`;
  return argument.startsWith(directory) ? argument.slice(directory.length) : argument;
}

/** Whether a name fits a pattern: `*` and `?` stand for anything; without them a part of the name is enough. */
export function nameFilter(pattern: string): (name: string) => boolean {
  if (!/[*?]/.test(pattern)) return (name) => name.includes(pattern);
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const regex = new RegExp(`^${source}$`, 'su');
  return (name) => regex.test(name);
}
