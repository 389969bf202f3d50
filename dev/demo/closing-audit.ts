import type { LedgerRecord } from '@cdr/core/ledger-record';
import type { SourceFileCount } from '../kafka-counter/committed-reader.ts';
import { count, table } from './text.ts';

/** A file as it was generated: what must have arrived, and where. */
export interface ExpectedFile {
  readonly name: string;
  readonly topic: string;
  readonly rows: number;
}

/** The three witnesses. */
export interface Evidence {
  readonly expected: readonly ExpectedFile[];
  /** The newest committed ledger record of each file. */
  readonly ledger: ReadonlyMap<string, LedgerRecord>;
  /** Of Java's consumer under read_committed, all topics with records and the one with rejects. */
  readonly counted: readonly SourceFileCount[];
  readonly rejectsTopic: string;
}

export interface AuditLine {
  readonly topic: string;
  readonly files: number;
  /** In the generated files. */
  readonly rows: number;
  /** As counted in the topic. */
  readonly messages: number;
  /** As the ledger has them. */
  readonly rejects: number;
  /** messages + rejects - rows: above 0 something is doubled, below something is missing. */
  readonly difference: number;
}

export interface Verdict {
  readonly topics: readonly AuditLine[];
  readonly total: AuditLine;
  /** Everything that is not as it must be, file by file; empty when all is well. */
  readonly problems: readonly string[];
}

/**
 * Compares what was generated, what the ledger says and what a consumer sees: per topic, and per file, so that a row too
 * many in one file cannot hide one that another lacks.
 */
export function audit({ expected, ledger, counted, rejectsTopic }: Evidence): Verdict {
  const topics = [...new Set(expected.map(({ topic }) => topic))].sort();
  const lines = topics.map((topic) => {
    const files = expected.filter((file) => file.topic === topic);
    const rows = sum(files, (file) => file.rows);
    const messages = sum(counted, (entry) => (entry.topic === topic ? entry.count : 0));
    const rejects = sum(files, (file) => ledger.get(file.name)?.rejects ?? 0);
    return { topic, files: files.length, rows, messages, rejects, difference: messages + rejects - rows };
  });
  const total = {
    topic: 'total',
    files: sum(lines, (line) => line.files),
    rows: sum(lines, (line) => line.rows),
    messages: sum(lines, (line) => line.messages),
    rejects: sum(lines, (line) => line.rejects),
    difference: sum(lines, (line) => line.difference),
  };
  const messagesOf = new Map(counted.map((entry) => [placeOf(entry.topic, entry.sourceFile), entry.count]));
  const rejected = sum(counted, (entry) => (entry.topic === rejectsTopic ? entry.count : 0));
  return {
    topics: lines,
    total,
    problems: [
      ...expected.flatMap((file) => problemsOf(file, ledger.get(file.name), messagesOf)),
      ...strangers(expected, counted, rejectsTopic),
      ...(rejected === total.rejects
        ? []
        : [`${rejectsTopic} has ${count(rejected)} rejects, the ledger says ${count(total.rejects)}`]),
    ],
  };
}

/** Whether every row is accounted for exactly once. */
export function isClean({ topics, problems }: Verdict): boolean {
  return problems.length === 0 && topics.every((line) => line.difference === 0);
}

/** The verdict as lines for people. */
export function auditTable({ topics, total }: Verdict): string[] {
  const header = ['topic', 'files', 'rows', 'messages', 'rejects', 'difference'];
  const cells = [...topics, total].map((line) => [
    line.topic,
    ...[line.files, line.rows, line.messages, line.rejects].map(count),
    `${line.difference > 0 ? '+' : ''}${count(line.difference)}`,
  ]);
  return table([header, ...cells]);
}

function problemsOf(
  { name, topic, rows }: ExpectedFile,
  record: LedgerRecord | undefined,
  messagesOf: ReadonlyMap<string, number>,
): string[] {
  if (record?.state !== 'committed') return [`${name}: the ledger has it ${record?.state ?? 'not at all'}`];
  const problems: string[] = [];
  if (record.rows !== rows) problems.push(`${name}: ${count(rows)} rows, the ledger says ${count(record.rows)}`);
  if (record.rows !== record.messages + record.rejects)
    problems.push(`${name}: in the ledger, rows are not messages + rejects`);
  const messages = messagesOf.get(placeOf(topic, name)) ?? 0;
  if (messages !== rows - record.rejects)
    problems.push(
      `${name}: ${count(messages)} messages in ${topic} for ${count(rows)} rows and ${count(record.rejects)} rejects`,
    );
  return problems;
}

/** Messages in a topic where no file of that name was to go. */
function strangers(
  expected: readonly ExpectedFile[],
  counted: readonly SourceFileCount[],
  rejectsTopic: string,
): string[] {
  const known = new Set(expected.map(({ topic, name }) => placeOf(topic, name)));
  return counted
    .filter(({ topic, sourceFile }) => topic !== rejectsTopic && !known.has(placeOf(topic, sourceFile)))
    .map(({ topic, sourceFile, count: messages }) => `${count(messages)} messages in ${topic} from ${sourceFile}`);
}

function placeOf(topic: string, sourceFile: string | null): string {
  return `${topic} ${sourceFile}`;
}

function sum<Item>(items: readonly Item[], amount: (item: Item) => number): number {
  return items.reduce((total, item) => total + amount(item), 0);
}
