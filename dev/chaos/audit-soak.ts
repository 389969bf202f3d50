import type { LedgerRecord } from '@cdr/core/ledger-record';
import type { CommittedMessage } from '../kafka-counter/committed-reader.ts';
import type { SourceFile } from './file-source.ts';

/** What was found, beside what had to be. */
export interface SoakVerdict {
  readonly files: number;
  /** Of all generations: a file that was asked for again counts twice. */
  readonly expected: number;
  readonly found: number;
  readonly missing: number;
  readonly doubled: number;
  readonly rejectsExpected: number;
  readonly rejectsFound: number;
  readonly ledgerRows: number;
  readonly reingested: number;
  /** Everything that is not as it must be; empty when all is well. */
  readonly problems: readonly string[];
}

/** What the audit compares. */
export interface SoakEvidence {
  readonly files: readonly SourceFile[];
  /** The rows of the n-th file that are messages. */
  readonly rowsOf: (index: number) => string[];
  readonly ledger: ReadonlyMap<string, LedgerRecord>;
  /** Of Java's consumer under read_committed. */
  readonly messages: readonly CommittedMessage[];
  readonly rejects: number;
  /** Jobs that are not completed: how many in which state. */
  readonly jobsLeft: Readonly<Record<string, number>>;
}

/** Compares row by row: one too many in a file cannot hide one that it lacks. */
export function auditSoak({ files, rowsOf, ledger, messages, rejects, jobsLeft }: SoakEvidence): SoakVerdict {
  const problems: string[] = [];
  const found = new Map<string, Map<string, number>>();
  for (const { value } of messages) {
    const { _source_file, _ingestion_timestamp, _record_type, ...columns } = JSON.parse(value ?? '{}') as Record<
      string,
      string
    >;
    const rows = found.get(_source_file ?? '') ?? new Map<string, number>();
    if (rows.size === 0) found.set(_source_file ?? '', rows);
    const row = Object.values(columns).join(',');
    rows.set(row, (rows.get(row) ?? 0) + 1);
  }

  let [expected, missing, doubled, rejectsExpected, ledgerRows, reingested] = [0, 0, 0, 0, 0, 0];
  for (const [index, file] of files.entries()) {
    const record = ledger.get(file.name);
    const generation = record?.generation ?? 1;
    reingested += generation - 1;
    expected += file.good * generation;
    rejectsExpected += file.damaged * generation;
    ledgerRows += record?.rows ?? 0;
    const wanted = new Map<string, number>();
    for (const row of rowsOf(index)) wanted.set(row, (wanted.get(row) ?? 0) + generation);
    const rows = found.get(file.name) ?? new Map<string, number>();
    found.delete(file.name);
    let [lacking, tooMany] = [0, 0];
    for (const [row, count] of wanted) {
      const there = rows.get(row) ?? 0;
      lacking += Math.max(0, count - there);
      tooMany += Math.max(0, there - count);
      rows.delete(row);
    }
    for (const count of rows.values()) tooMany += count;
    missing += lacking;
    doubled += tooMany;
    if (lacking + tooMany > 0) problems.push(`${file.name}: ${lacking} rows missing, ${tooMany} doubled`);
    if (record?.state !== 'committed')
      problems.push(`${file.name}: the ledger has it ${record?.state ?? 'not at all'}`);
    else if (record.rows !== file.good + file.damaged || record.messages !== file.good)
      problems.push(
        `${file.name}: ${file.good} + ${file.damaged} rows, the ledger says ${record.messages} + ${record.rejects}`,
      );
  }
  for (const file of found.keys()) problems.push(`messages of a file that nobody made: ${file}`);
  if (rejects !== rejectsExpected) problems.push(`${rejects} rejects in the topic for ${rejectsExpected} damaged rows`);
  for (const [state, count] of Object.entries(jobsLeft)) if (count > 0) problems.push(`${count} jobs ${state}`);
  return {
    files: files.length,
    expected,
    found: messages.length,
    missing,
    doubled,
    rejectsExpected,
    rejectsFound: rejects,
    ledgerRows,
    reingested,
    problems,
  };
}
