import { setTimeout as sleep } from 'node:timers/promises';
import { inOrder } from '@cdr/core/file-order';
import type { LedgerRecord } from '@cdr/core/ledger-record';
import { claimedFiles, type ListedFile } from '@cdr/core/select-files';
import { SettlingFiles } from '@cdr/core/settling';
import { sameLedger } from '@cdr/queue/ledger-projection';
import type { Command } from 'commander';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.ts';
import { explainFile, type FileDecision } from '../explain-file.ts';
import { count, duration } from '../output/words.ts';

interface ScanOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly wait: boolean;
}

const SCAN_HELP = `
The directory is listed twice, STABLE_FOR_MS apart: a scan takes what has not changed in between. --no-wait lists it once
and takes every file for settled. Nothing is written and no job is added: that is the scanner's business.`;

export function addScan(program: Command, run: Runner): void {
  program
    .command('scan')
    .description('say what the next scan would take, and of the other files why not')
    .option('--dry-run', 'required: this command never takes anything')
    .option('--no-wait', 'do not look twice')
    .addHelpText('after', SCAN_HELP)
    .action((options: ScanOptions) => run(options, (context) => scan(context, options)));
}

async function scan(context: CommandContext, options: ScanOptions): Promise<ExitCode> {
  const { out, connections } = context;
  if (!options.dryRun) throw new UsageError('only the scanner scans; what it would take: cdr scan --dry-run');
  const { sftp, feeds, stableForMs, changedFiles } = context.config();
  const list = () => connections.sftp().withChannel((channel) => channel.list(sftp.remotePath));

  const settling = new SettlingFiles(stableForMs);
  if (options.wait) {
    const before = await list();
    const seen = { fromMs: 0, toMs: performance.now() };
    for (const file of before) settling.look(file.name, file, seen);
    settling.endOfScan();
    out.note(`Looking again in ${duration(stableForMs)} (STABLE_FOR_MS).`);
    await sleep(stableForMs);
  }
  const fromMs = performance.now();
  const listing = await list();
  const files = listing.filter(({ isRegularFile }) => isRegularFile);
  const ledger = await ledgerOf(
    context,
    claimedFiles(files, feeds).map(({ name }) => name),
  );
  const jobs = await connections.jobs();
  const inQueue = new Map<string, string>();
  for (const state of ['waiting', 'active', 'delayed', 'failed'] as const)
    for (const file of await jobs.filesIn(state)) inQueue.set(file, state);

  const seen = { fromMs, toMs: performance.now() };
  const settled = (file: ListedFile): boolean => !options.wait || settling.look(file.name, file, seen);
  const decisions = inOrder(listing, ({ name }) => name)
    .map((file) => explainFile(file, { feeds, ledger, changedFiles, settled }))
    .map((decision) => withJob(decision, inQueue.get(decision.file)));
  const counts = { take: 0, settling: 0, leave: 0, ignore: 0 };
  for (const { decision } of decisions) counts[decision]++;
  out.answer({ counts, files: decisions }, () => {
    if (decisions.length > 0)
      out.table(
        ['file', 'decision', 'why'],
        decisions.map(({ file, decision, why }) => [
          file,
          decision === 'take' ? { text: decision, style: 'green' } : decision,
          why,
        ]),
      );
    out.line(
      `${count(counts.take)} to take, ${count(counts.settling)} settling, ${count(counts.leave)} left alone, ` +
        `${count(counts.ignore)} ignored`,
    );
  });
  return EXIT.ok;
}

/** What a scan would know after catching up, without writing it anywhere. */
async function ledgerOf(context: CommandContext, names: readonly string[]): Promise<Map<string, LedgerRecord>> {
  const { projection, ledgerReader, ledger } = await context.connections.ledger();
  const position = await projection.position();
  const ours = position !== undefined && sameLedger(position, ledger());
  const records = ours ? await projection.records(names) : new Map<string, LedgerRecord>();
  const wanted = new Set(names);
  for await (const { entries } of ledgerReader.readCommitted(ours ? position.offset : await ledgerReader.start()))
    for (const { record } of entries) if (wanted.has(record.file)) records.set(record.file, record);
  return records;
}

/** A file with an unfinished job is not enqueued again, and a failed one waits for somebody. */
function withJob(decision: FileDecision, job: string | undefined): FileDecision {
  if (decision.decision !== 'take' || job === undefined) return decision;
  return job === 'failed'
    ? { ...decision, decision: 'leave', why: `its job failed: cdr show ${decision.file}, cdr retry ${decision.file}` }
    : { ...decision, decision: 'leave', why: `its job is ${job} already` };
}
