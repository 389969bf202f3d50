import { readFileSync } from 'node:fs';

/** Clock ticks a second, in which Linux counts CPU time. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4_096;

export interface ProcessUsage {
  /** CPU time used since the process began, in ms. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** What a process has used; undefined when it is gone, or where there is no /proc to ask. */
export function processUsage(pid: number | undefined): ProcessUsage | undefined {
  if (pid === undefined) return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // the second field is the name in parentheses and may hold spaces itself
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { cpuMs: (ticks * 1_000) / TICKS_PER_SECOND, rssBytes: Number(fields[21]) * PAGE_BYTES };
  } catch {
    return undefined;
  }
}
