import { expect, test, vi } from 'vitest';
import { Progress } from './progress.ts';

test('a line every few seconds where there is no terminal, and nothing for short work', () => {
  vi.useFakeTimers();
  try {
    const written: string[] = [];
    const progress = new Progress({ write: (text) => written.push(text) }, 'files', 2_000);
    progress.update(1);
    vi.advanceTimersByTime(6_000);
    progress.update(1_500);
    progress.update(1_600);
    progress.end();
    expect(written).toEqual(['files: 1,500 of 2,000 (75 %)\n']);
  } finally {
    vi.useRealTimers();
  }
});

test('one line that is redrawn and removed on a terminal', () => {
  vi.useFakeTimers();
  try {
    const written: string[] = [];
    const progress = new Progress({ isTTY: true, write: (text) => written.push(text) }, 'files');
    vi.advanceTimersByTime(200);
    progress.update(7);
    progress.end();
    expect(written).toEqual(['\r\x1b[Kfiles: 7', '\r\x1b[K']);
  } finally {
    vi.useRealTimers();
  }
});
