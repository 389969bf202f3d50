import { Command } from 'commander';
import type { Runner } from './command-context.ts';
import { addAdopt } from './commands/adopt.ts';
import { addAudit } from './commands/audit.ts';
import { addCheck } from './commands/check.ts';
import { addFiles } from './commands/files.ts';
import { addGenerate } from './commands/generate.ts';
import { addReingest } from './commands/reingest.ts';
import { addRejects } from './commands/rejects.ts';
import { addRetry } from './commands/retry.ts';
import { addScan } from './commands/scan.ts';
import { addShow } from './commands/show.ts';
import { addStartOver } from './commands/start-over.ts';
import { addStatus } from './commands/status.ts';
import { addTopics } from './commands/topics.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';

const COMMANDS = [
  addStatus,
  addFiles,
  addShow,
  addRetry,
  addReingest,
  addAdopt,
  addStartOver,
  addAudit,
  addRejects,
  addScan,
  addCheck,
  addTopics,
  addGenerate,
];

/** The commands and their options. `stderr` gets what is wrong with the usage. */
export function cliProgram(run: Runner, stderr: (text: string) => void): Command {
  const program = new Command('cdr')
    .description(
      'Looks after the ingestion of CDR files. Settings come from the environment, as for scanner and worker.',
    )
    .exitOverride()
    .configureOutput({ writeErr: stderr })
    .addHelpText('after', EXIT_CODES_HELP);
  for (const add of COMMANDS) add(program, run);
  for (const command of program.commands)
    command
      .option('--json', 'answer with one JSON document on standard output; everything else goes to standard error')
      .showHelpAfterError(`See: cdr ${command.name()} --help`)
      .addHelpText('after', EXIT_CODES_HELP);
  program.showHelpAfterError('See: cdr --help');
  return program;
}
