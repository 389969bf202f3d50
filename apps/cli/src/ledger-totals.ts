import { isRequested } from '@cdr/core/decide';
import type { Feed } from '@cdr/core/feeds';
import type { LedgerRecord } from '@cdr/core/ledger-record';

export interface FeedTotals {
  readonly feed: string;
  ingested: number;
  partial: number;
  adopted: number;
  changed: number;
  requested: number;
  messages: number;
  rejects: number;
  lastCompletedAt: string | null;
}

export interface RateView {
  readonly minutes: number;
  files: number;
  messages: number;
}

export interface LedgerTotalsView {
  readonly feeds: readonly Readonly<FeedTotals>[];
  readonly rates: readonly Readonly<RateView>[];
  readonly lastCompleted: { readonly file: string; readonly committedAt: string; readonly messages: number } | null;
  readonly changed: number;
  /** The newest few. */
  readonly changedFiles: readonly { readonly file: string; readonly seenAt: string }[];
  /** Files with rows whose content another file was ingested with, too; the first of each content is not counted. */
  readonly sameContent: number;
  /** A few of them. */
  readonly sameContentFiles: readonly { readonly file: string; readonly as: string }[];
}

const RATE_MINUTES = [1, 5, 60];
const CHANGED_SHOWN = 10;
const SAME_CONTENT_SHOWN = 10;

/** Adds up the ledger's entries, one at a time: there may be a million of them. */
export class LedgerTotals {
  private readonly nowMs: number;
  private readonly feeds: Map<string, FeedTotals>;
  private readonly rates: RateView[] = RATE_MINUTES.map((minutes) => ({ minutes, files: 0, messages: 0 }));
  private last: LedgerRecord | undefined;
  private changed = 0;
  private changedFiles: { file: string; seenAt: string }[] = [];
  /** Hash of a content to the first file that was seen with it. */
  private readonly contents = new Map<string, string>();
  private sameContent = 0;
  private readonly sameContentFiles: { file: string; as: string }[] = [];

  /** Each of the feeds has a line, files or not. */
  constructor(feeds: readonly Feed[], nowMs: number) {
    this.nowMs = nowMs;
    this.feeds = new Map(feeds.map(({ name }) => [name, emptyTotals(name)]));
  }

  add(record: LedgerRecord): void {
    const feed = this.feeds.get(record.feed) ?? emptyTotals(record.feed);
    this.feeds.set(record.feed, feed);
    feed[record.state === 'committed' ? 'ingested' : record.state]++;
    feed.messages += record.messages;
    feed.rejects += record.rejects;
    if (isRequested(record)) feed.requested++;
    if (record.changed) {
      feed.changed++;
      this.changed++;
      this.changedFiles.push({ file: record.file, seenAt: record.changed.seenAt });
      if (this.changedFiles.length > CHANGED_SHOWN * 2) this.changedFiles = newest(this.changedFiles);
    }
    if (record.state === 'adopted') return;
    if (record.state === 'committed') {
      this.compareContent(record);
      if (record.committedAt > (feed.lastCompletedAt ?? '')) feed.lastCompletedAt = record.committedAt;
      if (record.committedAt > (this.last?.committedAt ?? '')) this.last = record;
    }
    const ageMs = this.nowMs - Date.parse(record.committedAt);
    for (const rate of this.rates)
      if (ageMs <= rate.minutes * 60_000) {
        rate.files++;
        rate.messages += record.messages;
      }
  }

  /** Files without rows are all alike, and nothing of them is in the topics twice. */
  private compareContent({ file, sha256, rows }: LedgerRecord): void {
    if (rows === 0 || sha256 === null) return;
    const as = this.contents.get(sha256);
    if (as === undefined) {
      this.contents.set(sha256, file);
      return;
    }
    this.sameContent++;
    if (this.sameContentFiles.length < SAME_CONTENT_SHOWN) this.sameContentFiles.push({ file, as });
  }

  view(): LedgerTotalsView {
    const { last } = this;
    return {
      feeds: [...this.feeds.values()],
      rates: this.rates,
      lastCompleted: last ? { file: last.file, committedAt: last.committedAt, messages: last.messages } : null,
      changed: this.changed,
      changedFiles: newest(this.changedFiles),
      sameContent: this.sameContent,
      sameContentFiles: this.sameContentFiles,
    };
  }
}

function emptyTotals(feed: string): FeedTotals {
  return {
    feed,
    ingested: 0,
    partial: 0,
    adopted: 0,
    changed: 0,
    requested: 0,
    messages: 0,
    rejects: 0,
    lastCompletedAt: null,
  };
}

function newest<Item extends { readonly seenAt: string }>(files: readonly Item[]): Item[] {
  return files.toSorted((a, b) => b.seenAt.localeCompare(a.seenAt)).slice(0, CHANGED_SHOWN);
}
