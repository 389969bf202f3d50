import { gzipSync } from 'node:zlib';
import {
  generateCdrFiles,
  type GeneratedFile,
  type GenerateOptions as GenerateCdrOptions,
} from '@cdr/core/generate-cdr';
import type { Command } from 'commander';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.ts';
import { inParallel } from '../in-parallel.ts';
import { timeValue, wholeNumber } from '../option-values.ts';
import { plural } from '../output/words.ts';

const UPLOADS_AT_ONCE = 4;

interface GenerateOptions extends CommonOptions {
  readonly files: number;
  readonly rows: number;
  readonly seed: number;
  readonly from?: number;
  readonly replace?: boolean;
  readonly gzip?: boolean;
}

export function addGenerate(program: Command, run: Runner): void {
  program
    .command('generate')
    .description(
      'put generated CDR files onto the SFTP server: data and voice in turn, the same seed giving the same bytes',
    )
    .option('--files <n>', 'how many', wholeNumber(1, 1_000_000), 24)
    .option('--rows <n>', 'rows in each', wholeNumber(0, 10_000_000), 1000)
    .option('--seed <n>', 'of the random content', wholeNumber(0, 2 ** 31), 1)
    .option('--from <time>', "time in the first files' names (2024-01-01); each next one is an hour later", timeValue)
    .option('--replace', 'overwrite files of these names')
    .option('--gzip', 'compressed, as .csv.gz')
    .action((options: GenerateOptions) => run(options, (context) => generate(context, options)));
}

async function generate({ parts, connections, out }: CommandContext, options: GenerateOptions): Promise<ExitCode> {
  const { sftp: settings } = parts.files();
  const directory = settings.remotePath.replace(/\/$/, '');
  const gzip = options.gzip ?? false;
  const sftp = connections.sftp();
  const plan = {
    files: options.files,
    rowsPerFile: options.rows,
    seed: options.seed,
    ...(options.from === undefined ? {} : { from: new Date(options.from) }),
  };
  const there = new Set(
    (await sftp.withChannel((channel) => channel.list(settings.remotePath))).map(({ name }) => name),
  );
  if (!options.replace) {
    // without rows: only the names matter yet
    const taken = [...generated({ ...plan, rowsPerFile: 0 }, gzip)].filter(({ name }) => there.has(name));
    if (taken.length > 0)
      throw new UsageError(
        `${plural(taken.length, 'file')} of these names are on the server already, such as ${taken[0]?.name ?? ''}: ` +
          'choose another --from, or overwrite them with --replace',
      );
  }

  const done: Omit<GeneratedFile, 'content'>[] = [];
  let bytes = 0;
  const progress = out.progress('files uploaded', options.files);
  try {
    await inParallel(generated(plan, gzip), UPLOADS_AT_ONCE, async ({ content, ...file }) => {
      await sftp.withChannel((channel) => channel.writeFile(`${directory}/${file.name}`, content));
      done.push(file);
      bytes += content.length;
      progress.update(done.length);
    });
  } finally {
    progress.end();
  }
  const rows = options.files * options.rows;
  out.answer({ directory: settings.remotePath, files: done.map(({ name }) => name).sort(), rows, bytes }, () =>
    out.line(`${plural(done.length, 'file')} with ${plural(rows, 'row')} in ${settings.remotePath}`),
  );
  return EXIT.ok;
}

function* generated(plan: GenerateCdrOptions, gzip: boolean): Generator<GeneratedFile> {
  for (const file of generateCdrFiles(plan))
    yield gzip ? { ...file, name: `${file.name}.gz`, content: gzipSync(file.content) } : file;
}
