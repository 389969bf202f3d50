import { parseLedgerRecord, type LedgerRecord } from '@cdr/core/ledger-record';
import type { CommittedMessage } from '../kafka-counter/committed-reader.ts';
import { canonicalMessage, type ExpectedOutcome, type ExpectedRow } from './expected-outcome.ts';

/** What was found of one file. */
export interface FoundFile {
  /** The newest ledger record; undefined when there is none. */
  readonly record: LedgerRecord | undefined;
  /** The code that its job failed with; undefined when it did not fail. */
  readonly failure: string | undefined;
  /** By `_source_file`, from the record topics. */
  readonly messages: readonly CommittedMessage[];
  /** By key, from the rejects topic. */
  readonly rejects: readonly CommittedMessage[];
}

/** Where the messages of a feed must be. */
export interface FeedPlace {
  readonly feed: string;
  readonly topic: string;
}

const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/;
const SHOWN = 3;

/** Everything that is not as it must be; empty when all is well. */
export function judgeFile(expected: ExpectedOutcome, found: FoundFile, place: FeedPlace): string[] {
  const messages = found.messages.map((message) => readMessage(message, place));
  const rejects = found.rejects.map(readReject);
  return [
    ...judgeState(expected, found),
    ...messages.flatMap(({ problems }) => problems),
    ...difference(
      'message',
      textsOf(expected.rows, 'message'),
      messages.map(({ text }) => text),
    ),
    ...difference('reject', textsOf(expected.rows, 'reject'), rejects),
  ];
}

function judgeState({ refusal, rows }: ExpectedOutcome, { record, failure, messages, rejects }: FoundFile): string[] {
  const problems: string[] = [];
  if (failure !== refusal) problems.push(`refused with ${failure ?? 'nothing'}, expected ${refusal ?? 'nothing'}`);
  const state = refusal === undefined ? 'committed' : rows.length > 0 ? 'partial' : undefined;
  if (record?.state !== state)
    problems.push(`the ledger says ${record?.state ?? 'nothing'}, expected ${state ?? 'nothing'}`);
  const counts = { rows: record?.rows ?? 0, messages: record?.messages ?? 0, rejects: record?.rejects ?? 0 };
  if (counts.rows !== counts.messages + counts.rejects) problems.push(`in the ledger, rows are not messages + rejects`);
  if (counts.rows !== rows.length) problems.push(`${counts.rows} rows in the ledger, expected ${rows.length}`);
  if (counts.messages !== messages.length)
    problems.push(`${counts.messages} messages in the ledger, ${messages.length} in the topic`);
  if (counts.rejects !== rejects.length)
    problems.push(`${counts.rejects} rejects in the ledger, ${rejects.length} in the topic`);
  return problems;
}

/** Tells by text what of two bags is not in the other. */
function difference(what: string, expected: readonly string[], found: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of expected) counts.set(text, (counts.get(text) ?? 0) + 1);
  for (const text of found) counts.set(text, (counts.get(text) ?? 0) - 1);
  const problems: string[] = [];
  for (const [text, count] of counts) {
    if (count === 0 || problems.length === SHOWN) continue;
    problems.push(`${what} ${count > 0 ? 'missing' : 'too many'}, ${Math.abs(count)} times: ${text.slice(0, 300)}`);
  }
  return problems;
}

function textsOf(rows: readonly ExpectedRow[], kind: ExpectedRow['kind']): string[] {
  return rows.flatMap((row) => {
    if (row.kind !== kind) return [];
    return row.kind === 'message' ? [row.message] : [rejectText(row.line, row.code, row.raw)];
  });
}

function rejectText(line: number, code: string, raw: Buffer): string {
  return `line ${line} ${code} ${raw.toString('base64')}`;
}

function readMessage({ topic, key, value }: CommittedMessage, place: FeedPlace): { text: string; problems: string[] } {
  const problems: string[] = [];
  const parsed = JSON.parse(value ?? 'null') as Record<string, string>;
  const { _source_file, _ingestion_timestamp, _record_type = '', ...columns } = parsed;
  if (topic !== place.topic) problems.push(`a message in ${topic}`);
  if (!TIMESTAMP.test(_ingestion_timestamp ?? '')) problems.push(`a message of the time ${_ingestion_timestamp}`);
  // one way to write it, but for names of columns that JavaScript sorts in front
  const isSorted = Object.keys(columns).some((column) => /^\d+$/.test(column));
  if (!isSorted && JSON.stringify(parsed) !== value)
    problems.push(`a message that is not plain JSON: ${value?.slice(0, 300)}`);
  return { text: canonicalMessage(key ?? '', _record_type, columns), problems };
}

function readReject({ value }: CommittedMessage): string {
  const { line, code, raw, raw_base64 } = JSON.parse(value ?? 'null') as {
    line: number;
    code: string;
    raw: string;
    raw_base64?: string;
  };
  return rejectText(line, code, raw_base64 === undefined ? Buffer.from(raw) : Buffer.from(raw_base64, 'base64'));
}

/** Messages by file and the newest ledger record of each, from what the topics have. */
export function byFile(
  messages: readonly CommittedMessage[],
  rejects: readonly CommittedMessage[],
  ledger: readonly CommittedMessage[],
): { find: (file: string) => Omit<FoundFile, 'failure'>; files: ReadonlySet<string>; problems: string[] } {
  const problems: string[] = [];
  const records = new Map<string, LedgerRecord>();
  for (const { key, value } of ledger) {
    const parsed = parseLedgerRecord(value ?? '');
    if (parsed.ok) records.set(key ?? '', parsed.record);
    else problems.push(`a ledger record of ${JSON.stringify(key)}: ${parsed.problem}`);
  }
  const messagesOf = Map.groupBy(
    messages,
    ({ value }) => (JSON.parse(value ?? 'null') as { _source_file?: string } | null)?._source_file ?? '',
  );
  const rejectsOf = Map.groupBy(rejects, ({ key }) => key ?? '');
  return {
    find: (file) => ({
      record: records.get(file),
      messages: messagesOf.get(file) ?? [],
      rejects: rejectsOf.get(file) ?? [],
    }),
    files: new Set([...records.keys(), ...messagesOf.keys(), ...rejectsOf.keys()]),
    problems,
  };
}
