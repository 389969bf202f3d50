import { CdrError } from '@cdr/core/errors';
import { inOrder } from '@cdr/core/file-order';
import type { LedgerEntry, LedgerRecord } from '@cdr/core/ledger-record';
import type { LedgerReader } from '@cdr/kafka/ledger-reader';
import type { Command } from 'commander';
import { countFileRows } from '../audit/count-file-rows.ts';
import { countTopicRecords, rangesOf } from '../audit/count-topic-records.ts';
import { judgeFile, type FileJudgement, type ServerCount, type Verdict } from '../audit/judge-file.ts';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.ts';
import { fileKeyOfArgument } from '../file-key.ts';
import { inParallel } from '../in-parallel.ts';
import { timeValue } from '../option-values.ts';
import type { Output, Piece } from '../output/output.ts';
import { count, plural } from '../output/words.ts';

interface AuditOptions extends CommonOptions {
  readonly since?: number;
  readonly serverFiles: boolean;
}

const FILES_AT_ONCE = 4;

const AUDIT_HELP = `
Three witnesses are compared for each file: its rows on the SFTP server (where it is still as it was ingested), its entry
in the ledger, and the records that a read_committed consumer is shown between the offsets that the brokers acknowledged.
A file whose messages have left the topic by its retention is "expired"; one that a transaction which is still open hides
is "held-back": ask again later. Anything but exact, expired and adopted ends with exit code 1.`;

export function addAudit(program: Command, run: Runner): void {
  program
    .command('audit')
    .description('count again: rows on the server, entries of the ledger, messages in the topics')
    .argument('[file]', 'only this file')
    .option('--since <time>', 'only files committed since then', timeValue)
    .option('--no-server-files', 'do not read the files on the SFTP server')
    .addHelpText('after', AUDIT_HELP)
    .action((file: string | undefined, options: AuditOptions) =>
      run(options, (context) => audit(context, file, options)),
    );
}

async function audit(context: CommandContext, argument: string | undefined, options: AuditOptions): Promise<ExitCode> {
  const { out, connections } = context;
  if (argument !== undefined && options.since !== undefined) throw new UsageError('name either FILE or --since TIME');
  const { sftp } = context.config();
  const file = argument === undefined ? undefined : fileKeyOfArgument(argument, sftp.remotePath);
  const cluster = await connections.cluster();
  const wanted = ({ file: name, committedAt }: LedgerRecord): boolean =>
    file === undefined ? options.since === undefined || Date.parse(committedAt) >= options.since : name === file;
  const { records, unreadable } = await readLedger(await connections.ledgerReader(), wanted, out);
  if (file !== undefined && records.length === 0)
    throw new CdrError('file-vanished', `${file} is not in the ledger: nothing of it was committed`, {
      hint: `What is known of it: cdr show ${file}`,
    });

  const counting = out.progress('ranges counted', rangesOf(records));
  const counts = await countTopicRecords(cluster, records, (ranges) => counting.update(ranges));
  counting.end();
  const servers = options.serverFiles ? await countOnServer(context, records) : new Map<string, ServerCount>();

  const files = records.map((record, i) =>
    judgeFile({
      record,
      server: servers.get(record.file) ?? { state: 'not-read' },
      messages: counts[i]?.messages ?? [],
      rejects: counts[i]?.rejects ?? [],
    }),
  );
  const totals = totalsOf(files, unreadable);
  out.answer({ ...totals, files }, () => write(out, files, totals, file !== undefined));
  return totals.differs + totals['held-back'] + unreadable > 0 ? EXIT.no : EXIT.ok;
}

/** The newest entries of the wanted files, from the topic itself: what Redis remembers is no witness. */
async function readLedger(
  reader: LedgerReader,
  wanted: (record: LedgerRecord) => boolean,
  out: Output,
): Promise<{ records: LedgerRecord[]; unreadable: number }> {
  const newest = new Map<string, LedgerEntry>();
  const unreadable = new Map<string, bigint>();
  const start = await reader.start();
  const progress = out.progress('ledger records read', Number((await reader.stableEnd()) - start));
  for await (const stretch of reader.readCommitted(start)) {
    for (const entry of stretch.entries) newest.set(entry.record.file, entry);
    for (const { file, offset } of stretch.unreadable) unreadable.set(file, offset);
    progress.update(Number(stretch.position - start));
  }
  progress.end();
  // an older one that was written over since matters no more
  const standing = [...unreadable].filter(([file, offset]) => offset > (newest.get(file)?.offset ?? -1n));
  for (const [file] of standing) out.note(`the newest ledger record of ${file} cannot be read by this release`);
  const records = [...newest.values()].map(({ record }) => record).filter(wanted);
  return { records: inOrder(records, ({ file }) => file), unreadable: standing.length };
}

async function countOnServer(
  context: CommandContext,
  records: readonly LedgerRecord[],
): Promise<Map<string, ServerCount>> {
  const { sftp, feeds, maxLineBytes } = context.config();
  const directory = sftp.remotePath.replace(/\/$/, '');
  const pool = context.connections.sftp();
  // one listing tells which files are worth opening
  const there = new Set((await pool.withChannel((channel) => channel.list(sftp.remotePath))).map(({ name }) => name));
  const counts = new Map<string, ServerCount>();
  const progress = context.out.progress('files read', records.length);
  await inParallel(records, FILES_AT_ONCE, async (record) => {
    const feed = feeds.find(({ name }) => name === record.feed);
    if (record.state !== 'adopted' && feed)
      counts.set(
        record.file,
        there.has(record.file)
          ? await pool.withChannel((channel) =>
              countFileRows(channel, `${directory}/${record.file}`, record, feed, maxLineBytes),
            )
          : { state: 'gone' },
      );
    progress.update(counts.size);
  });
  progress.end();
  return counts;
}

type Totals = Record<Verdict, number> & { audited: number; unreadable: number; messages: number; rejects: number };

function totalsOf(files: readonly FileJudgement[], unreadable: number): Totals {
  const totals: Totals = {
    audited: files.length,
    exact: 0,
    differs: 0,
    expired: 0,
    'held-back': 0,
    adopted: 0,
    unreadable,
    messages: 0,
    rejects: 0,
  };
  for (const { verdict, topicMessages, topicRejects } of files) {
    totals[verdict]++;
    totals.messages += topicMessages;
    totals.rejects += topicRejects;
  }
  return totals;
}

const STYLES: Readonly<Record<Verdict, 'green' | 'red' | 'yellow' | 'dim'>> = {
  exact: 'green',
  differs: 'red',
  'held-back': 'yellow',
  expired: 'dim',
  adopted: 'dim',
};

function write(out: Output, files: readonly FileJudgement[], totals: Totals, all: boolean): void {
  const shown = all ? files : files.filter(({ verdict }) => verdict === 'differs' || verdict === 'held-back');
  if (shown.length > 0)
    out.table(
      ['file', 'rows on server', 'rows in ledger', 'messages', 'rejects', 'verdict'],
      shown.map((file): Piece[] => [
        file.file,
        file.serverRows === null ? file.server : count(file.serverRows),
        count(file.ledgerRows),
        count(file.topicMessages),
        count(file.topicRejects),
        { text: file.verdict, style: STYLES[file.verdict] },
      ]),
    );
  for (const { file, problems } of shown) for (const problem of problems) out.line(`  ${file}: ${problem}`);
  const parts = (['exact', 'differs', 'held-back', 'expired', 'adopted'] as const)
    .filter((verdict) => totals[verdict] > 0)
    .map((verdict) => `${count(totals[verdict])} ${verdict}`);
  out.line(
    `${plural(totals.audited, 'file')}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}; ` +
      `${count(totals.messages)} messages and ${count(totals.rejects)} rejects counted in the topics`,
  );
}
