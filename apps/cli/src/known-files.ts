import { isRequested } from '@cdr/core/decide';
import { inOrder } from '@cdr/core/file-order';
import type { LedgerRecord } from '@cdr/core/ledger-record';
import type { JobViews, ListedState } from '@cdr/queue/job-views';
import type { LedgerProjection } from '@cdr/queue/ledger-projection';

export const FILE_STATES = [
  'ingested',
  'partial',
  'adopted',
  'changed',
  'requested',
  'waiting',
  'active',
  'delayed',
  'failed',
] as const;
export type FileState = (typeof FILE_STATES)[number];

const JOB_STATES: readonly ListedState[] = ['waiting', 'active', 'delayed', 'failed'];

/** What ledger and queue know of a file. It may be in several states: ingested, and changed since, and failed anew. */
export interface KnownFile {
  readonly file: string;
  readonly states: readonly FileState[];
  readonly record: LedgerRecord | undefined;
}

/** States that an entry of the ledger puts its file in. */
export function ledgerStates(record: LedgerRecord): FileState[] {
  return [
    record.state === 'committed' ? 'ingested' : record.state,
    ...(record.changed ? (['changed'] as const) : []),
    ...(isRequested(record) ? (['requested'] as const) : []),
  ];
}

/** Every file that the ledger's projection or a list of the queue knows, oldest first by the time in the name. */
export async function knownFiles(projection: LedgerProjection, jobs: JobViews): Promise<KnownFile[]> {
  const files = new Map<string, { states: FileState[]; record: LedgerRecord | undefined }>();
  for await (const { record } of projection.entries()) files.set(record.file, { states: ledgerStates(record), record });
  for (const state of JOB_STATES)
    for (const file of await jobs.filesIn(state)) {
      const known = files.get(file);
      if (!known) files.set(file, { states: [state], record: undefined });
      // a job moves between two of these questions: the later answer is the newer one
      else known.states = [...known.states.filter((other) => !JOB_STATES.some((job) => job === other)), state];
    }
  return inOrder(
    [...files].map(([file, known]) => ({ file, ...known })),
    ({ file }) => file,
  );
}
