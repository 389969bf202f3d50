import { CdrError, describeError } from '@cdr/core/errors';
import { sameIdentity } from '@cdr/core/decide';
import { isGzipName, matchFeed } from '@cdr/core/feeds';
import type { FileIdentity, LedgerEntry, LedgerRecord } from '@cdr/core/ledger-record';
import { askLedger } from '@cdr/ledger/ask-ledger';
import type { JobView } from '@cdr/queue/job-views';
import type { Command } from 'commander';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { fileKeyOfArgument } from '../file-key.ts';
import { ledgerStates } from '../known-files.ts';
import type { Output, Piece } from '../output/output.ts';
import { count, duration, plural, time } from '../output/words.ts';

type OnServer = (FileIdentity & { readonly there: true }) | { readonly there: false; readonly problem?: string };

export function addShow(program: Command, run: Runner): void {
  program
    .command('show')
    .description('everything that is known of one file: on the server, in the ledger, in the queue')
    .argument('<file>', 'its name')
    .action((file: string, options: CommonOptions) => run(options, (context) => show(context, file)));
}

async function show(context: CommandContext, argument: string): Promise<ExitCode> {
  const { out, connections } = context;
  const { sftp } = context.config();
  const file = fileKeyOfArgument(argument, sftp.remotePath);
  const { projection, ledgerReader, ledger } = await connections.ledger();
  const jobs = await connections.jobs();
  // no fence before it: nothing is decided from this answer
  const [{ entry, undecided }, job, log, server] = await Promise.all([
    askLedger(file, projection, ledgerReader, ledger()),
    jobs.find(file),
    jobs.logOf(file),
    onServer(context, file),
  ]);
  if (!entry && !job && !server.there) {
    const where = server.problem ? '' : ', nor on the server';
    throw new CdrError('file-vanished', `${file} is neither in the ledger nor in the queue${where}`, {
      hint: "Look for its name: cdr files --name 'PART-OF-IT'",
    });
  }
  const open = undecided.size > 0;
  out.answer({ file, server, ledger: entry ?? null, transactionOpen: open, job: job ? { ...job, log } : null }, () => {
    out.line({ text: file, style: 'bold' });
    if (!matchFeed(context.config().feeds, file))
      field(out, 'feed', { text: 'none: no feed claims a file of this name', style: 'red' });
    writeServer(out, server, entry);
    writeLedger(out, entry, open);
    writeJob(out, job, log);
  });
  return EXIT.ok;
}

async function onServer({ connections, parts }: CommandContext, file: string): Promise<OnServer> {
  const path = `${parts.files().sftp.remotePath.replace(/\/$/, '')}/${file}`;
  try {
    const { size, mtimeMs } = await connections.sftp().withChannel((channel) => channel.stat(path));
    return { there: true, size, mtimeMs };
  } catch (error) {
    const gone = error instanceof CdrError && error.code === 'file-vanished';
    return gone ? { there: false } : { there: false, problem: describeError(error) };
  }
}

function writeServer(out: Output, server: OnServer, entry: LedgerEntry | undefined): void {
  if (!server.there)
    return field(out, 'server', server.problem ? { text: server.problem, style: 'red' } : 'not there (any more)');
  const same = entry && sameIdentity(entry.record, server);
  const note = !entry || same ? '' : ', not as in the ledger';
  field(out, 'server', `${count(server.size)} bytes, changed ${time(server.mtimeMs)}${note}`);
}

function writeLedger(out: Output, entry: LedgerEntry | undefined, open: boolean): void {
  if (!entry) field(out, 'ledger', open ? 'nothing yet; a transaction of it is open' : 'nothing');
  else {
    const { record, offset } = entry;
    field(out, 'ledger', `${ledgerStates(record).join(', ')}, generation ${record.generation}, offset ${offset}`);
    if (open) field(out, '', 'another transaction of it is open');
    if (record.state !== 'adopted')
      field(
        out,
        'counts',
        `${count(record.rows)} rows = ${count(record.messages)} messages to ${record.topic} + ${count(record.rejects)} rejects`,
      );
    field(out, 'content', `${contentBytes(record)}, sha256 ${record.sha256 ?? 'not known'}`);
    field(out, 'committed', `${time(record.committedAt)} by ${record.worker}`);
    for (const { topic, partition, first, last } of record.ranges)
      field(out, 'range', `${topic}/${partition} offsets ${first} to ${last}`);
    if (record.changed)
      field(out, 'changed', {
        text: `seen ${time(record.changed.seenAt)} with ${count(record.changed.size)} bytes; to ingest it: cdr reingest ${record.file} --reason ...`,
        style: 'red',
      });
    if (record.requested) {
      const { generation, by, at, reason } = record.requested;
      field(out, 'requested', `generation ${generation} by ${by}, ${time(at)}: ${reason}`);
    }
  }
}

/** How much was ingested. Of a compressed file nobody knows beforehand of how much. */
function contentBytes({ file, byteOffset, size }: LedgerRecord): string {
  return isGzipName(file)
    ? `${count(byteOffset)} bytes of what is compressed in ${count(size)}`
    : `${count(byteOffset)} of ${count(size)} bytes`;
}

function writeJob(out: Output, job: JobView | undefined, log: readonly string[]): void {
  if (!job) return field(out, 'job', 'none');
  const age = duration(Date.now() - job.addedAt);
  field(
    out,
    'job',
    `${job.state}, ${plural(job.attemptsMade, 'attempt')} spent, added ${time(job.addedAt)} (${age} ago)`,
  );
  if (job.failure) {
    field(out, 'failed', { text: job.failure.reason, style: 'red' });
    field(out, '', `when that is mended: cdr retry ${job.file}`);
  }
  if (job.state === 'delayed' && job.data?.heldSince !== undefined)
    field(
      out,
      'waits',
      `since ${time(job.data.heldSince)} for its end: it is empty, or its last line or its gzip data have none. ` +
        'INCOMPLETE_AFTER_MS later it is taken as it is',
    );
  if (job.state === 'active' && isProgress(job.progress))
    field(
      out,
      'progress',
      `${count(job.progress.bytes)} of ${count(job.progress.size)} bytes, ${count(job.progress.rows)} rows`,
    );
  for (const line of log) field(out, 'log', line);
}

function isProgress(value: unknown): value is { bytes: number; size: number; rows: number } {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['bytes', 'size', 'rows'].every((name) => typeof (value as Record<string, unknown>)[name] === 'number')
  );
}

function field(out: Output, name: string, value: Piece): void {
  out.line({ text: name.padEnd(11), style: 'dim' }, value);
}
