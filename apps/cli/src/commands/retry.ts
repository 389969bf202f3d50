import { ERROR_CODES } from '@cdr/core/errors';
import { jobIdOf } from '@cdr/core/job-id';
import { FILES_PER_ENTRY } from '@cdr/queue/audit-stream';
import { FailedJobs } from '@cdr/queue/failed-jobs';
import type { JobViews } from '@cdr/queue/job-views';
import { Option, type Command } from 'commander';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.ts';
import { fileKeyOfArgument } from '../file-key.ts';
import { plural } from '../output/words.ts';

interface RetryOptions extends CommonOptions {
  readonly all?: boolean;
  readonly code?: string;
}

/** In the audit trail. */
const WHAT = 'cdr retry';

export function addRetry(program: Command, run: Runner): void {
  program
    .command('retry')
    .description('let failed jobs begin anew, all attempts before them, those that failed first first')
    .argument('[file]', 'a file whose job failed')
    .option('--all', 'every failed job')
    .addOption(new Option('--code <code>', 'those that failed with this code').choices(ERROR_CODES))
    .action((file: string | undefined, options: RetryOptions) =>
      run(options, (context) => retry(context, file, options)),
    );
}

async function retry(context: CommandContext, argument: string | undefined, options: RetryOptions): Promise<ExitCode> {
  const { out, connections } = context;
  const given = [argument, options.all, options.code].filter((choice) => choice !== undefined).length;
  if (given !== 1)
    throw new UsageError('name one of FILE, --all and --code. The failed ones: cdr files --state failed');
  const config = context.config();
  const jobs = await connections.jobs();
  const failedJobs = new FailedJobs((await connections.queue()).bullQueue, await connections.redis());

  if (argument !== undefined) {
    const file = fileKeyOfArgument(argument, config.sftp.remotePath);
    const result = await failedJobs.retry(jobIdOf(file));
    if (result.done) await context.audit(WHAT, file);
    out.answer({ retried: result.done ? [file] : [], skipped: result.done ? [] : [file] }, () =>
      result.done
        ? out.line(`${file} is in the queue again`)
        : out.line(
            result.state === 'unknown'
              ? `${file} has no job. What is known of it: cdr show ${file}`
              : `the job of ${file} has not failed, it is ${result.state}. More: cdr show ${file}`,
          ),
    );
    return result.done ? EXIT.ok : EXIT.no;
  }

  const files = await failedFiles(jobs, options.code);
  const retried: string[] = [];
  const skipped: string[] = [];
  const progress = out.progress('jobs retried', files.length);
  for (let start = 0; start < files.length; start += FILES_PER_ENTRY) {
    const before = retried.length;
    try {
      for (const file of files.slice(start, start + FILES_PER_ENTRY)) {
        const { done } = await failedJobs.retry(jobIdOf(file));
        (done ? retried : skipped).push(file);
        progress.update(retried.length);
      }
    } finally {
      // so much is done, also when the rest was not
      if (retried.length > before) await context.audit(WHAT, retried.slice(before).join(', '));
    }
  }
  progress.end();
  const aside = skipped.length > 0 ? `; ${plural(skipped.length, 'job')} had not failed any more` : '';
  out.answer({ retried, skipped }, () =>
    out.line(
      files.length === 0
        ? options.code
          ? `no job has failed with ${options.code}`
          : 'no job has failed'
        : `${plural(retried.length, 'job')} in the queue again${aside}`,
    ),
  );
  return EXIT.ok;
}

async function failedFiles(jobs: JobViews, code: string | undefined): Promise<string[]> {
  const files: string[] = [];
  for await (const { file, failure } of jobs.failed())
    if (code === undefined || failure?.code === code) files.push(file);
  return files;
}
