import type { LedgerEntry } from '@cdr/core/ledger-record';
import { forgetLostLedger, isLedgerLost, restoreEntry, restoringParts } from '@cdr/ledger/start-over';
import type { Command } from 'commander';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.ts';
import { inParallel } from '../in-parallel.ts';
import { count, plural } from '../output/words.ts';

interface StartOverOptions extends CommonOptions {
  readonly restore?: boolean;
  readonly forget?: boolean;
  readonly dryRun?: boolean;
}

const WRITES_AT_ONCE = 8;

const START_OVER_HELP = `
For "ledger-lost": the ledger topic was deleted, made anew, or lost its end, and Redis remembers more than there is.
--restore writes what Redis remembers into the topic, whole, with counts and offsets; what is not remembered is ingested
by the next scan. It may be repeated when it was interrupted. --forget writes nothing: every file on the server is new
then, and consumers get its rows once more.`;

export function addStartOver(program: Command, run: Runner): void {
  program
    .command('start-over')
    .description('go on after the ledger topic was lost, with what Redis remembers of it or without')
    .option('--restore', 'write what Redis remembers into the topic')
    .option('--forget', 'ingest every file on the server again')
    .option('--dry-run', 'only say what would be done')
    .addHelpText('after', START_OVER_HELP)
    .action((options: StartOverOptions) => run(options, (context) => startOver(context, options)));
}

async function startOver(context: CommandContext, options: StartOverOptions): Promise<ExitCode> {
  const { out, connections } = context;
  if (options.restore === options.forget) throw new UsageError('say either --restore or --forget');
  const ledger = await connections.ledger();
  const dryRun = options.dryRun ?? false;
  if (!(await isLedgerLost(ledger))) {
    out.answer({ lost: false, restored: 0, remembered: 0, dryRun }, () =>
      out.line('The ledger topic has all that Redis remembers of it: nothing to start over. Nothing was changed'),
    );
    return EXIT.ok;
  }
  const known: LedgerEntry[] = [];
  for await (const entry of ledger.projection.entries()) known.push(entry);
  known.sort((a, b) => Number(a.offset - b.offset));

  let restored = 0;
  let done = 0;
  if (options.restore && !dryRun) {
    const progress = out.progress('records restored', known.length);
    const topic = restoringParts(ledger);
    try {
      await inParallel(known, WRITES_AT_ONCE, async (entry) => {
        if (await restoreEntry(entry, topic)) restored++;
        progress.update(++done);
      });
    } finally {
      progress.end();
    }
  }
  // last: until here scanner and workers refuse to go on
  if (!dryRun) {
    await forgetLostLedger(ledger);
    const how = options.restore ? `restored ${count(restored)} of` : 'forgot';
    await context.audit('cdr start-over', `${how} ${plural(known.length, 'ledger record')}`);
  }
  out.answer({ lost: true, restored, remembered: known.length, dryRun }, () => {
    if (options.restore)
      out.line(
        dryRun
          ? `${plural(known.length, 'ledger record')} would be written into the topic, unless they are there`
          : `${count(restored)} of ${plural(known.length, 'ledger record')} written into the topic; the others were there. The next scan goes on`,
      );
    else
      out.line(
        dryRun
          ? `${plural(known.length, 'ledger record')} would be forgotten, and their files ingested again`
          : `${plural(known.length, 'ledger record')} forgotten. The next scan takes every file on the server`,
      );
  });
  return EXIT.ok;
}
