import { describe, expect, it } from 'vitest';
import { SettlingFiles } from './settling.ts';

const FILE = { size: 100, mtimeMs: 5_000 };

/** A look that takes no time. */
const at = (ms: number) => ({ fromMs: ms, toMs: ms });

/** One scan that sees these files: the names of those that are settled. */
function scan(files: SettlingFiles, nowMs: number, seen: Record<string, typeof FILE>): string[] {
  const settled = Object.entries(seen).filter(([name, file]) => files.look(name, file, at(nowMs)));
  files.endOfScan();
  return settled.map(([name]) => name);
}

describe('a file is settled', () => {
  it('when two looks saw the same, so long apart, and not before', () => {
    const files = new SettlingFiles(10_000);
    expect(scan(files, 0, { a: FILE })).toEqual([]);
    expect(scan(files, 5_000, { a: FILE })).toEqual([]);
    expect(scan(files, 9_999, { a: FILE })).toEqual([]);
    expect(scan(files, 10_000, { a: FILE })).toEqual(['a']);
    expect(scan(files, 10_001, { a: FILE })).toEqual(['a']);
  });

  it('at the second look at the earliest, however long it takes to stable, and also when that is 0 ms', () => {
    for (const stableForMs of [0, 1]) {
      const files = new SettlingFiles(stableForMs);
      expect(scan(files, 1_000_000, { a: FILE })).toEqual([]);
      expect(scan(files, 1_000_001, { a: FILE })).toEqual(['a']);
    }
    const files = new SettlingFiles(0);
    expect(scan(files, 7, { a: FILE })).toEqual([]);
    expect(scan(files, 7, { a: FILE })).toEqual(['a']);
  });

  it.each([
    ['grew', { size: 101, mtimeMs: 5_000 }],
    ['shrank', { size: 99, mtimeMs: 5_000 }],
    ['was touched', { size: 100, mtimeMs: 5_001 }],
    ['got an older mtime', { size: 100, mtimeMs: 4_000 }],
  ])('anew from when it %s', (_, other) => {
    const files = new SettlingFiles(10);
    scan(files, 0, { a: FILE });
    expect(scan(files, 9, { a: other })).toEqual([]);
    expect(scan(files, 18, { a: other })).toEqual([]);
    expect(scan(files, 19, { a: other })).toEqual(['a']);
    // back to what it was: that is a change, too
    expect(scan(files, 20, { a: FILE })).toEqual([]);
    expect(scan(files, 30, { a: FILE })).toEqual(['a']);
  });

  it('on its own, whatever others do', () => {
    const files = new SettlingFiles(10);
    scan(files, 0, { a: FILE, b: FILE });
    expect(scan(files, 10, { a: FILE, b: { size: 1, mtimeMs: 1 }, c: FILE })).toEqual(['a']);
    expect(scan(files, 20, { a: FILE, b: { size: 1, mtimeMs: 1 }, c: FILE })).toEqual(['a', 'b', 'c']);
  });

  it('whatever the clock of the server says', () => {
    const files = new SettlingFiles(10);
    const future = { size: 1, mtimeMs: Date.UTC(2099, 0) };
    scan(files, 0, { a: future });
    expect(scan(files, 10, { a: future })).toEqual(['a']);
  });
});

describe('a file that a scan did not look at', () => {
  it('is forgotten: it settles anew', () => {
    const files = new SettlingFiles(10);
    scan(files, 0, { a: FILE });
    expect(scan(files, 5, {})).toEqual([]);
    expect(scan(files, 10, { a: FILE })).toEqual([]);
    expect(scan(files, 20, { a: FILE })).toEqual(['a']);
  });

  it('is not remembered', () => {
    const files = new SettlingFiles(10);
    for (let i = 0; i < 100; i++) files.look(`${i}`, FILE, at(0));
    expect(files.endOfScan()).toBe(100);
    files.look('1', FILE, at(1));
    expect(files.endOfScan()).toBe(1);
    expect(files.endOfScan()).toBe(0);
  });
});

it('takes two looks within one scan for one', () => {
  const files = new SettlingFiles(0);
  expect(files.look('a', FILE, at(0))).toBe(false);
  expect(files.look('a', FILE, at(1))).toBe(false);
  files.endOfScan();
  expect(files.look('a', FILE, at(2))).toBe(true);
});
