import type { LedgerRecord } from '@cdr/core/ledger-record';
import type { RangeCount } from '@cdr/kafka/committed-counter';

/** The file's part that the ledger speaks of, as it is on the server now. */
export type ServerCount =
  | { readonly state: 'counted'; readonly rows: number; readonly sha256: string }
  /** Of the size and time that were ingested, and no sound gzip data. */
  | { readonly state: 'unreadable'; readonly problem: string }
  | { readonly state: 'gone' | 'changed' | 'not-read' };

export interface FileEvidence {
  readonly record: LedgerRecord;
  readonly server: ServerCount;
  /** Of the ranges in the topic of its records, and of those in other topics, which are rejects. */
  readonly messages: readonly RangeCount[];
  readonly rejects: readonly RangeCount[];
}

/**
 * `exact`: every witness that can be asked agrees. `differs`: two of them contradict each other. `expired`: the topic has
 * dropped some of it by its retention. `held-back`: an open transaction hides some of it now. `adopted`: nothing to count.
 */
export type Verdict = 'exact' | 'differs' | 'expired' | 'held-back' | 'adopted';

export interface FileJudgement {
  readonly file: string;
  readonly verdict: Verdict;
  /** What contradicts what. */
  readonly problems: readonly string[];
  readonly server: ServerCount['state'];
  readonly serverRows: number | null;
  readonly ledgerRows: number;
  readonly ledgerMessages: number;
  readonly ledgerRejects: number;
  /** As a read_committed consumer is shown them. */
  readonly topicMessages: number;
  readonly topicRejects: number;
}

/** Compares the three witnesses of one file: the server, the ledger, and the topics. */
export function judgeFile({ record, server, messages, rejects }: FileEvidence): FileJudgement {
  const numbers = {
    file: record.file,
    server: server.state,
    serverRows: server.state === 'counted' ? server.rows : null,
    ledgerRows: record.rows,
    ledgerMessages: record.messages,
    ledgerRejects: record.rejects,
    topicMessages: sum(messages),
    topicRejects: sum(rejects),
  };
  if (record.state === 'adopted') return { ...numbers, verdict: 'adopted', problems: [] };

  const problems: string[] = [];
  if (server.state === 'counted') {
    if (server.rows !== record.rows) problems.push(`the file has ${server.rows} rows, the ledger says ${record.rows}`);
    if (server.sha256 !== record.sha256)
      problems.push('the content on the server is not what was ingested, although size and time are the same');
  }
  if (server.state === 'unreadable') problems.push(`the file on the server cannot be read: ${server.problem}`);
  problems.push(...topicProblems('messages', record.messages, messages));
  problems.push(...topicProblems('rejects', record.rejects, rejects));
  const states = new Set([...messages, ...rejects].map(({ state }) => state));
  const verdict =
    problems.length > 0
      ? 'differs'
      : states.has('held-back')
        ? 'held-back'
        : states.has('expired')
          ? 'expired'
          : 'exact';
  return { ...numbers, verdict, problems };
}

function topicProblems(what: string, expected: number, counts: readonly RangeCount[]): string[] {
  const found = sum(counts);
  if (counts.some(({ state }) => state === 'beyond-end'))
    return [
      `the log ends before offsets that the ledger names for its ${what}: the topic was made anew, or lost records`,
    ];
  // what is hidden or expired can be missing by right, but nothing can be too much
  const partial = counts.some(({ state }) => state !== 'whole');
  if (partial ? found <= expected : found === expected) return [];
  return [`the topic has ${found} ${what}, the ledger says ${expected}`];
}

function sum(counts: readonly RangeCount[]): number {
  return counts.reduce((total, { records }) => total + records, 0);
}
