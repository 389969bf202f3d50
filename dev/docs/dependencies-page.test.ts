import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const root = path.resolve(import.meta.dirname, '../..');
const manifests = ['package.json', ...globSync('{apps,packages}/*/package.json', { cwd: root }).sort()];
const SOURCES = ['{apps,packages}/*/src/**/*.ts', '{dev,tests,bench,spec}/**/*.ts'];

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

interface Row {
  readonly name: string;
  readonly folders: readonly string[];
}

function read(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

/** Packages of others: those that apps and packages run on, and all. */
function declared(): { running: Set<string>; all: Map<string, Set<string>> } {
  const running = new Set<string>();
  const all = new Map<string, Set<string>>();
  for (const file of manifests) {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(read(file)) as Manifest;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      if (name.startsWith('@cdr/')) continue;
      all.set(name, (all.get(name) ?? new Set()).add(version));
    }
    for (const name of Object.keys(dependencies)) if (!name.startsWith('@cdr/')) running.add(name);
  }
  return { running, all };
}

/** By package: the folders whose sources import it; tests count for packages that only development has. */
function importers(withTests: (name: string) => boolean): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of SOURCES.flatMap((pattern) => globSync(pattern, { cwd: root }))) {
    const folder = file
      .split(path.sep)
      .slice(0, /^(apps|packages)/.test(file) ? 2 : 1)
      .join('/');
    const isProduct = /^(apps|packages)/.test(file) && !/\.test\.ts$|[\\/]testing[\\/]/.test(file);
    for (const [, specifier = ''] of read(file).matchAll(/(?:\bfrom|\bimport\(|\brequire\()\s*'([^'./][^']*)'/g)) {
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      if (isProduct || withTests(name)) found.set(name, (found.get(name) ?? new Set()).add(folder));
    }
  }
  return found;
}

/** Rows under a heading that begin with nothing but a package's name. */
function rowsUnder(heading: string): Row[] {
  const section =
    read('docs/dependencies.md')
      .split(/^## /m)
      .find((text) => text.startsWith(heading)) ?? '';
  return section.split('\n').flatMap((line) => {
    const [, name = '', folders = ''] = line.split('|').map((cell) => cell.trim());
    if (!/^`[^`]+`$/.test(name)) return [];
    return [{ name: name.slice(1, -1), folders: [...folders.matchAll(/`([^`]+)`/g)].map(([, folder = '']) => folder) }];
  });
}

describe('docs/dependencies.md', () => {
  const { running, all } = declared();
  const ofProgram = rowsUnder('Of the running program');
  const ofDevelopment = rowsUnder('Of development');

  test('has every package that a package.json has, under the right heading', () => {
    expect(ofProgram.map(({ name }) => name)).toEqual([...running].sort());
    expect(ofDevelopment.map(({ name }) => name)).toEqual([...all.keys()].filter((name) => !running.has(name)).sort());
  });

  test('says where each is imported', () => {
    const found = importers((name) => !running.has(name));
    for (const { name, folders } of [...ofProgram, ...ofDevelopment])
      expect(folders, name).toEqual([...(found.get(name) ?? [])].sort());
  });
});

describe('what comes from elsewhere', () => {
  test('has an exact version, the same one everywhere', () => {
    for (const [name, versions] of declared().all) {
      expect([...versions], name).toHaveLength(1);
      for (const version of versions) expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    }
  });

  test('has a checksum in the lockfile', () => {
    const { packages } = parse(read('pnpm-lock.yaml')) as {
      packages: Record<string, { resolution: { integrity?: string } }>;
    };
    const without = Object.entries(packages).filter(
      ([, { resolution }]) => !resolution.integrity?.startsWith('sha512-'),
    );
    expect(without).toEqual([]);
    expect(Object.keys(packages).length).toBeGreaterThan(100);
  });

  test('runs an install script only where its name is on the list', () => {
    const workspace = parse(read('pnpm-workspace.yaml')) as Record<string, unknown> & {
      allowBuilds: Record<string, boolean>;
    };
    expect(Object.keys(workspace.allowBuilds).filter((name) => workspace.allowBuilds[name])).toEqual(['node']);
    expect(Object.keys(workspace.allowBuilds).filter((name) => /[*@]/.test(name))).toEqual([]);
    expect(workspace).not.toHaveProperty('dangerouslyAllowAllBuilds');
    expect(workspace).toHaveProperty('strictDepBuilds', true);
    expect(read('Dockerfile').match(/pnpm install .*$/gm)).toEqual(
      Array.from({ length: 2 }, () => expect.stringMatching(/--frozen-lockfile .*--ignore-scripts/) as string),
    );
  });
});
