import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root }).sort();

const LINK = /\]\(([^)\s]+)\)/g;
const SOURCE_FILE = /`((?:apps|packages|dev|tests|docs|bench|deploy)\/[\w./-]+\.(?:ts|md|js|java|yml|json))`/g;

function textOf(page: string): string {
  return readFileSync(path.join(root, page), 'utf8');
}

/** Anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  return [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

function brokenLinks(page: string): string[] {
  return [...textOf(page).matchAll(LINK)]
    .map(([, target = '']) => target)
    .filter((target) => !/^https?:/.test(target))
    .filter((target) => {
      const [file = '', anchor] = target.split('#');
      const linked = file === '' ? page : path.join(path.dirname(page), file);
      if (!existsSync(path.join(root, linked))) return true;
      return anchor !== undefined && !anchorsOf(linked).includes(anchor);
    });
}

function missingFiles(page: string): string[] {
  return [...textOf(page).matchAll(SOURCE_FILE)]
    .map(([, file = '']) => file)
    .filter((file) => !existsSync(path.join(root, file)));
}

describe.each(pages)('%s', (page) => {
  test('links to what is there', () => {
    expect(brokenLinks(page)).toEqual([]);
  });

  test('names files that are there', () => {
    expect(missingFiles(page)).toEqual([]);
  });
});
