import { isRequested } from '@cdr/core/decide';
import { CdrError } from '@cdr/core/errors';
import type { LedgerRecord, ReingestRequest } from '@cdr/core/ledger-record';
import { changeEntry } from '@cdr/ledger/change-entry';
import type { Command } from 'commander';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.ts';
import { fileKeyOfArgument } from '../file-key.ts';
import { count, time } from '../output/words.ts';

interface ReingestOptions extends CommonOptions {
  readonly reason: string;
}

const REASON_MAX = 500;

export function addReingest(program: Command, run: Runner): void {
  program
    .command('reingest')
    .description('ask for a file to be ingested again, whole: its messages will be in the topic once more')
    .argument('<file>', 'a file that is in the ledger')
    .requiredOption('--reason <text>', 'kept in the ledger with your name')
    .action((file: string, options: ReingestOptions) => run(options, (context) => reingest(context, file, options)));
}

async function reingest(context: CommandContext, argument: string, options: ReingestOptions): Promise<ExitCode> {
  const { out, connections, operator } = context;
  const reason = options.reason.trim();
  if (reason === '' || reason.length > REASON_MAX)
    throw new UsageError(`--reason must say why, in at most ${REASON_MAX} characters`);
  const { sftp } = context.config();
  const file = fileKeyOfArgument(argument, sftp.remotePath);
  const request = { by: operator, reason, at: new Date().toISOString() };
  const { written, record } = await changeEntry(
    file,
    (entry) => withRequest(entry, request),
    await connections.ledger(),
  );
  if (!record)
    throw new CdrError('file-vanished', `${file} is not in the ledger, so there is nothing to ingest again`, {
      hint: "A new file is taken by itself. Names in the ledger: cdr files --name 'PART-OF-IT'",
    });
  const requested = record.requested as ReingestRequest;
  if (written) await context.audit('cdr reingest', `${file} as generation ${requested.generation}: ${reason}`);

  const path = `${sftp.remotePath.replace(/\/$/, '')}/${file}`;
  const onServer = await connections
    .sftp()
    .withChannel((channel) => channel.exists(path))
    .catch(() => undefined);
  out.answer({ file, written, requested, onServer: onServer ?? null }, () => {
    if (written)
      out.line(
        `${file} is to be ingested again as generation ${requested.generation}; the next scan takes it. ` +
          `Its ${count(record.messages)} messages of generation ${record.generation} stay in ${record.topic}`,
      );
    else
      out.line(
        `${file} was asked for already, by ${requested.by} at ${time(requested.at)}: ${requested.reason}. Nothing was written`,
      );
  });
  if (onServer === false) out.note(`${file} is not on the server now: it is taken when it is uploaded again.`);
  return EXIT.ok;
}

/** The entry with the request beside it; nothing when there is no entry, or a request that is still to be served. */
function withRequest(
  entry: LedgerRecord | undefined,
  request: Omit<ReingestRequest, 'generation'>,
): LedgerRecord | undefined {
  if (!entry || isRequested(entry)) return undefined;
  return { ...entry, requested: { generation: entry.generation + 1, ...request } };
}
