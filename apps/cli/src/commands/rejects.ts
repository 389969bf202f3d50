import { writeFileSync } from 'node:fs';
import { CdrError } from '@cdr/core/errors';
import { inOrder } from '@cdr/core/file-order';
import { readCommittedRecords } from '@cdr/kafka/committed-records';
import { askLedger } from '@cdr/ledger/ask-ledger';
import type { Command } from 'commander';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.ts';
import { fileKeyOfArgument } from '../file-key.ts';
import { count, plural } from '../output/words.ts';
import { producerRangesOf } from '../producer-ranges.ts';
import { parseReject, rejectsAsCsv, type ShownReject } from '../shown-reject.ts';

interface RejectsOptions extends CommonOptions {
  readonly export?: string;
}

const REJECTS_HELP = `
A rejected row holds what the file held, numbers of subscribers among it: mind where an export is kept.`;

export function addRejects(program: Command, run: Runner): void {
  program
    .command('rejects')
    .description('files with rejected rows; of one file, the rows with line numbers and reasons')
    .argument('[file]', 'its rejects, from the topic')
    .option('--export <csv>', "write the file's rejects to a new local file instead")
    .addHelpText('after', REJECTS_HELP)
    .action((file: string | undefined, options: RejectsOptions) =>
      run(options, (context) =>
        file === undefined ? listFiles(context, options) : showRejects(context, file, options),
      ),
    );
}

async function listFiles(context: CommandContext, options: RejectsOptions): Promise<ExitCode> {
  const { connections, out } = context;
  if (options.export !== undefined) throw new UsageError('--export needs a FILE. Those with rejects: cdr rejects');
  context.config();
  const known: { file: string; rows: number; rejects: number }[] = [];
  for await (const { record } of (await connections.projection()).entries())
    if (record.rejects > 0) known.push({ file: record.file, rows: record.rows, rejects: record.rejects });
  const files = inOrder(known, ({ file }) => file);
  out.answer({ files }, () => {
    if (files.length > 0)
      out.table(
        ['file', 'rows', 'rejects'],
        files.map(({ file, rows, rejects }) => [file, count(rows), count(rejects)]),
      );
    out.line(`${plural(files.length, 'file')} with rejects`);
  });
  return EXIT.ok;
}

async function showRejects(context: CommandContext, argument: string, options: RejectsOptions): Promise<ExitCode> {
  const { connections, out } = context;
  const file = fileKeyOfArgument(argument, context.config().sftp.remotePath);
  const { projection, ledgerReader, ledger } = await connections.ledger();
  const { entry } = await askLedger(file, projection, ledgerReader, ledger());
  if (!entry)
    throw new CdrError('file-vanished', `${file} is not in the ledger: nothing of it was committed`, {
      hint: `What is known of it: cdr show ${file}`,
    });
  const { record } = entry;
  const cluster = await connections.cluster();
  const rejects: ShownReject[] = [];
  for (const range of producerRangesOf(record).filter(({ topic }) => topic !== record.topic)) {
    // makes the topic known, or says that it is gone
    await cluster.partitionCount(range.topic);
    for await (const { value } of readCommittedRecords(cluster, range)) rejects.push(parseReject(value));
  }
  rejects.sort((a, b) => a.line - b.line);
  if (record.rejects !== rejects.length)
    out.note(`The ledger counts ${count(record.rejects)} rejects: the others have left the topic, or are hidden now.`);

  if (options.export !== undefined) writeExport(options.export, rejectsAsCsv(rejects));
  out.answer({ file, rejects, inLedger: record.rejects, exported: options.export ?? null }, () => {
    if (options.export !== undefined) return out.line(`${plural(rejects.length, 'reject')} in ${options.export}`);
    if (rejects.length > 0)
      out.table(
        ['line', 'code', 'reason', 'row'],
        rejects.map(({ line, code, reason, raw }) => [count(line), code, reason, raw]),
      );
    out.line(plural(rejects.length, 'reject'));
  });
  return EXIT.ok;
}

/** Only for its owner to read, and never over a file that is there. */
function writeExport(path: string, csv: string): void {
  try {
    writeFileSync(path, csv, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw new UsageError(`cannot write the export: ${error instanceof Error ? error.message : String(error)}`);
  }
}
