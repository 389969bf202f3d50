import { sameIdentity } from './decide.ts';
import type { FileIdentity } from './ledger-record.ts';

/** When a file was seen as it is: between these two moments, in ms of our own monotonic clock. */
export interface Look {
  readonly fromMs: number;
  readonly toMs: number;
}

interface Seen extends FileIdentity {
  /** When this size and mtime was first seen, on our own monotonic clock. */
  readonly since: number;
}

/**
 * Which files have stopped changing, as seen by us: the same size and mtime in two looks at least, over stableForMs at
 * least. The server's clock decides nothing. Forgets files that are not looked at any more.
 */
export class SettlingFiles {
  private readonly stableForMs: number;
  private seen = new Map<string, Seen>();
  private next = new Map<string, Seen>();

  constructor(stableForMs: number) {
    this.stableForMs = stableForMs;
  }

  /** The beginning of a scan: what one saw that did not come to its end is forgotten. */
  beginScan(): void {
    this.next = new Map();
  }

  /** One look at a file. True when it is settled. */
  look(name: string, file: FileIdentity, { fromMs, toMs }: Look): boolean {
    const before = this.seen.get(name);
    const same = before !== undefined && sameIdentity(before, file);
    const entry = same ? before : { size: file.size, mtimeMs: file.mtimeMs, since: toMs };
    this.next.set(name, entry);
    return same && fromMs - entry.since >= this.stableForMs;
  }

  /** The end of a scan: files that were not looked at in it are forgotten. Returns how many are remembered. */
  endOfScan(): number {
    this.seen = this.next;
    this.next = new Map();
    return this.seen.size;
  }
}
