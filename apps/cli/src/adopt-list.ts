import { matchFeed, type Feed } from '@cdr/core/feeds';
import { isTemporaryName } from '@cdr/core/select-files';

export interface AdoptList {
  /** Each once, in the order of the list. */
  readonly names: readonly string[];
  readonly problems: readonly { readonly line: number; readonly text: string; readonly problem: string }[];
}

/** Reads a list of file names, one a line, as the program that was here before kept it. Empty lines are nothing. */
export function parseAdoptList(text: string, feeds: readonly Feed[]): AdoptList {
  const names = new Set<string>();
  const problems: { line: number; text: string; problem: string }[] = [];
  for (const [i, line] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    const name = line.trim();
    if (name === '') continue;
    const problem = problemOf(name, feeds);
    if (problem) problems.push({ line: i + 1, text: name.slice(0, 200), problem });
    else names.add(name);
  }
  return { names: [...names], problems };
}

function problemOf(name: string, feeds: readonly Feed[]): string | undefined {
  if (/\p{Cc}|\ufffd/u.test(name)) return 'is no text';
  if (name.includes('/')) return 'has a directory; names only';
  if (isTemporaryName(name)) return 'is a temporary name';
  return matchFeed(feeds, name) ? undefined : 'belongs to no feed';
}
