import { decide, sameIdentity, type ChangedFilesPolicy, type DecidingPart } from './decide.ts';
import { isUtf8Name, matchFeed, type Feed } from './feeds.ts';
import { inOrder } from './file-order.ts';
import type { IngestJob } from './ingest-job.ts';
import type { FileIdentity } from './ledger-record.ts';
import type { Look, SettlingFiles } from './settling.ts';

/** A regular file as the server lists it. */
export interface ListedFile extends FileIdentity {
  readonly name: string;
}

export interface Selection {
  /** To be enqueued, in order. */
  readonly wanted: IngestJob[];
  readonly counts: SelectionCounts;
  /** Names of files that no feed claims, a few of them. */
  readonly unclaimed: string[];
  /** Those of them whose names are not UTF-8, as far as they can be shown. */
  readonly notUtf8: string[];
  /** Names of files whose content differs from what was ingested. */
  readonly changed: string[];
}

export interface SelectionCounts {
  /** Files that a feed claims. */
  found: number;
  ingested: number;
  changed: number;
  /** Still being written, as far as we can tell. */
  settling: number;
  unclaimed: number;
  /** Of those, files whose names are not UTF-8: no feed can claim them, as nobody can ask for them. */
  notUtf8: number;
  wanted: number;
}

const NAMES_KEPT = 20;
/** Names that uploaders give to files they are still writing. */
const TEMPORARY = /^\.|\.(?:part|partial|tmp|temp|filepart|uploading|crdownload|swp)$|~$/i;

/** Dot-files and temporary suffixes are never looked at. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name);
}

/** Only names that a feed claims need a look into the ledger. */
export function claimedFiles(files: readonly ListedFile[], feeds: readonly Feed[]): ListedFile[] {
  return files.filter(({ name }) => !isTemporaryName(name) && matchFeed(feeds, name) !== undefined);
}

/**
 * What a scan enqueues of a listing that comes in pages, in any order. Pure but for `settling`, which it shows every
 * candidate once.
 */
export class FileSelection {
  private readonly feeds: readonly Feed[];
  private readonly settling: SettlingFiles;
  private readonly changedFiles: ChangedFilesPolicy;
  private readonly counts: SelectionCounts = {
    found: 0,
    ingested: 0,
    changed: 0,
    settling: 0,
    unclaimed: 0,
    notUtf8: 0,
    wanted: 0,
  };
  private readonly unclaimed: string[] = [];
  private readonly notUtf8: string[] = [];
  private readonly changed: string[] = [];
  private readonly wanted: IngestJob[] = [];

  constructor(feeds: readonly Feed[], settling: SettlingFiles, changedFiles: ChangedFilesPolicy) {
    this.feeds = feeds;
    this.settling = settling;
    this.changedFiles = changedFiles;
    settling.beginScan();
  }

  /** Some of the files, when they were seen, and what the ledger says of those that a feed claims. */
  take(files: readonly ListedFile[], seen: Look, ledger: ReadonlyMap<string, DecidingPart>): void {
    const { counts } = this;
    for (const { name, size, mtimeMs } of files) {
      if (isTemporaryName(name)) continue;
      const feed = matchFeed(this.feeds, name);
      if (!feed) {
        counts.unclaimed++;
        if (this.unclaimed.length < NAMES_KEPT) this.unclaimed.push(name);
        if (!isUtf8Name(name)) {
          counts.notUtf8++;
          if (this.notUtf8.length < NAMES_KEPT) this.notUtf8.push(name);
        }
        continue;
      }
      counts.found++;
      const entry = ledger.get(name);
      const decision = decide(entry, { size, mtimeMs }, this.changedFiles);
      if (entry?.changed && sameIdentity(entry.changed, { size, mtimeMs })) {
        counts.changed++;
        if (this.changed.length < NAMES_KEPT) this.changed.push(name);
      }
      if (decision.action === 'nothing') {
        if (decision.because === 'ingested') counts.ingested++;
      } else if (this.settling.look(name, { size, mtimeMs }, seen))
        this.wanted.push({ file: name, feed: feed.name, size, mtimeMs, generation: decision.generation });
      else counts.settling++;
    }
  }

  /** The result, when everything was taken: what is wanted in order. */
  end(): Selection {
    const { counts, unclaimed, notUtf8, changed } = this;
    const wanted = inOrder(this.wanted, ({ file }) => file);
    return { wanted, counts: { ...counts, wanted: wanted.length }, unclaimed, notUtf8, changed };
  }
}
