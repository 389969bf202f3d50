import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '@cdr/core/errors';
import type { Feed } from '@cdr/core/feeds';
import { dependencyOf } from '@cdr/core/retry-policy';
import { errorCodeOf } from '@cdr/core/errors';
import type { Command } from 'commander';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { wholeNumber } from '../option-values.ts';
import type { Output, Piece } from '../output/output.ts';
import { count, duration, plural, time } from '../output/words.ts';
import { LedgerTotals, type LedgerTotalsView } from '../ledger-totals.ts';

interface StatusOptions extends CommonOptions {
  readonly watch?: true | number;
}

type DependencyName = 'sftp' | 'redis' | 'kafka';

interface DependencyState {
  readonly dependency: DependencyName;
  readonly ok: boolean;
  readonly problem?: string;
}

interface QueueState {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly failed: number;
  readonly completed: number;
  readonly paused: boolean;
  readonly oldestWaitingMs: number | null;
}

interface FailedJobLine {
  readonly file: string;
  readonly code: string;
  readonly reason: string;
  readonly failedAt: number | null;
}

interface Status {
  readonly at: string;
  readonly dependencies: readonly DependencyState[];
  /** Null while Redis is away. */
  readonly ledger: LedgerTotalsView | null;
  readonly queue: QueueState | null;
  readonly failedJobs: readonly FailedJobLine[];
}

const WATCH_SECONDS = 2;
const FAILED_SHOWN = 10;
const LABEL_WIDTH = 'last 60 min  '.length;

const STATUS_HELP = `
Counts come from what Redis remembers of the ledger; the scanner keeps it up to date. The rate counts files whose ledger
entry was written in the last minutes, with all their messages. Exit code 3 when a dependency is away.`;

export function addStatus(program: Command, run: Runner): void {
  program
    .command('status')
    .description('how it goes: files, messages, queue, rate, failed jobs, changed and repeated files, dependencies')
    .option('--watch [seconds]', `again every few seconds (${WATCH_SECONDS}) until Ctrl-C`, wholeNumber(1, 3_600))
    .addHelpText('after', STATUS_HELP)
    .action((options: StatusOptions) => run(options, (context) => status(context, options)));
}

async function status(context: CommandContext, { watch }: StatusOptions): Promise<ExitCode> {
  const { feeds } = context.config();
  if (watch === undefined) return show(context, feeds);
  const everyMs = (watch === true ? WATCH_SECONDS : watch) * 1000;
  const interrupted = context.interrupted();
  let exit: ExitCode = EXIT.ok;
  while (!interrupted.aborted) {
    exit = await show(context, feeds, true);
    await sleep(everyMs, undefined, { signal: interrupted }).catch(() => undefined);
  }
  return exit;
}

async function show(context: CommandContext, feeds: readonly Feed[], again = false): Promise<ExitCode> {
  const answer = await statusNow(context, feeds);
  if (again) context.out.clear();
  context.out.answer(answer, () => write(context.out, answer));
  return answer.dependencies.every(({ ok }) => ok) ? EXIT.ok : EXIT.away;
}

async function statusNow({ connections }: CommandContext, feeds: readonly Feed[]): Promise<Status> {
  const now = Date.now();
  const [sftp, kafka, redis] = await Promise.all([
    reached('sftp', () => connections.sftp().probe()),
    reached('kafka', async () => (await connections.cluster()).probe()),
    reached('redis', async () => {
      const [projection, queue, jobs] = await Promise.all([
        connections.projection(),
        connections.queue(),
        connections.jobs(),
      ]);
      const totals = new LedgerTotals(feeds, now);
      for await (const { record } of projection.entries()) totals.add(record);
      const [counts, paused, oldest] = await Promise.all([queue.counts(), jobs.isPaused(), jobs.oldestWaitingSince()]);
      const failedJobs: FailedJobLine[] = [];
      for await (const { file, failure, finishedAt } of jobs.failed()) {
        if (failedJobs.length >= FAILED_SHOWN) break;
        const { code, reason } = failure ?? { code: 'unexpected', reason: '' };
        failedJobs.push({ file, code, reason, failedAt: finishedAt ?? null });
      }
      return {
        ledger: totals.view(),
        queue: { ...counts, paused, oldestWaitingMs: oldest === undefined ? null : now - oldest },
        failedJobs,
      };
    }),
  ]);
  return {
    at: new Date(now).toISOString(),
    dependencies: [sftp.state, kafka.state, redis.state],
    ...(redis.value ?? { ledger: null, queue: null, failedJobs: [] }),
  };
}

/** Whether a dependency answered, and what it said. */
async function reached<T>(
  dependency: DependencyName,
  ask: () => Promise<T>,
): Promise<{ state: DependencyState; value: T | undefined }> {
  try {
    return { value: await ask(), state: { dependency, ok: true } };
  } catch (error) {
    // what is no trouble with a dependency is a fault of ours, and not to be hidden behind one
    if (dependencyOf(errorCodeOf(error)) === undefined) throw error;
    return { value: undefined, state: { dependency, ok: false, problem: describeError(error) } };
  }
}

function write(out: Output, { at, dependencies, ledger, queue, failedJobs }: Status): void {
  for (const { dependency, ok, problem } of dependencies)
    if (!ok) out.line({ text: `${dependency} is away: `, style: 'red' }, problem ?? '');
  if (dependencies.every(({ ok }) => ok))
    out.line({ text: 'sftp, kafka and redis answer', style: 'dim' }, `  ${time(at)}`);
  if (!ledger || !queue) return;

  out.table(
    ['feed', 'ingested', 'partial', 'adopted', 'changed', 'requested', 'messages', 'rejects', 'last completed'],
    ledger.feeds.map((feed): Piece[] => [
      feed.feed,
      count(feed.ingested),
      count(feed.partial),
      count(feed.adopted),
      feed.changed > 0 ? { text: count(feed.changed), style: 'red' } : count(feed.changed),
      count(feed.requested),
      count(feed.messages),
      count(feed.rejects),
      feed.lastCompletedAt ? time(feed.lastCompletedAt) : '',
    ]),
  );
  const oldest = queue.oldestWaitingMs === null ? '' : `, the oldest for ${duration(queue.oldestWaitingMs)}`;
  out.line(
    `${'queue'.padEnd(LABEL_WIDTH)}${count(queue.waiting)} waiting${oldest}; ${count(queue.active)} active, ${count(queue.delayed)} delayed, `,
    queue.failed > 0 ? { text: `${count(queue.failed)} failed`, style: 'red' } : '0 failed',
    ...(queue.paused ? [{ text: ', paused', style: 'yellow' } as const] : []),
  );
  for (const { minutes, files, messages } of ledger.rates)
    out.line(
      `last ${minutes === 1 ? 'minute' : `${minutes} min`}`.padEnd(LABEL_WIDTH),
      `${plural(files, 'file')}, ${plural(messages, 'message')}, ${count(Math.round(messages / (minutes * 60)))} a second`,
    );
  if (ledger.lastCompleted)
    out.line(
      `${'last'.padEnd(LABEL_WIDTH)}${ledger.lastCompleted.file}, ${plural(ledger.lastCompleted.messages, 'message')}, ${time(ledger.lastCompleted.committedAt)}`,
    );

  if (failedJobs.length > 0) {
    out.line({ text: 'failed jobs', style: 'bold' }, ' (cdr show FILE, cdr retry FILE)');
    for (const { file, reason } of failedJobs) out.line(`  ${file}  `, { text: reason, style: 'red' });
    if (queue.failed > failedJobs.length)
      out.line(`  and ${count(queue.failed - failedJobs.length)} more: cdr files --state failed`);
  }
  if (ledger.changedFiles.length > 0) {
    out.line({ text: 'changed after they were ingested', style: 'bold' }, ' (cdr reingest FILE --reason ...)');
    for (const { file, seenAt } of ledger.changedFiles) out.line(`  ${file}  seen ${time(seenAt)}`);
    if (ledger.changed > ledger.changedFiles.length)
      out.line(`  and ${count(ledger.changed - ledger.changedFiles.length)} more: cdr files --state changed`);
  }
  if (ledger.sameContent > 0) {
    out.line({ text: 'ingested with the content of another file', style: 'bold' }, ' (their rows are there twice)');
    for (const { file, as } of ledger.sameContentFiles) out.line(`  ${file}  as ${as}`);
    if (ledger.sameContent > ledger.sameContentFiles.length)
      out.line(`  and ${count(ledger.sameContent - ledger.sameContentFiles.length)} more`);
  }
}
