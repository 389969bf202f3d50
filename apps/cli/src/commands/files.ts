import { matchFeed } from '@cdr/core/feeds';
import { Option, type Command } from 'commander';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.ts';
import { nameFilter } from '../file-key.ts';
import { FILE_STATES, knownFiles, type FileState } from '../known-files.ts';
import { wholeNumber } from '../option-values.ts';
import { count, plural, time } from '../output/words.ts';

interface FilesOptions extends CommonOptions {
  readonly state?: FileState;
  readonly feed?: string;
  readonly name?: string;
  readonly limit?: number;
}

export function addFiles(program: Command, run: Runner): void {
  program
    .command('files')
    .description('list the files that ledger and queue know, oldest first by the time in the name')
    .addOption(new Option('--state <state>', 'only those in this state').choices(FILE_STATES))
    .option('--feed <feed>', 'only those of this feed')
    .option('--name <pattern>', 'only those of such a name: a part of it, or with * and ? all of it')
    .option('--limit <n>', 'no more than so many', wholeNumber(1, 1_000_000_000))
    .action((options: FilesOptions) => run(options, (context) => files(context, options)));
}

async function files(context: CommandContext, { state, feed, name, limit }: FilesOptions): Promise<ExitCode> {
  const { out, connections } = context;
  const { feeds } = context.config();
  if (feed !== undefined && !feeds.some((known) => known.name === feed))
    throw new UsageError(`no feed is called ${feed}; there are ${feeds.map((known) => known.name).join(' and ')}`);
  const projection = await connections.projection();
  if ((await projection.position()) === undefined)
    out.note('Redis knows no ledger yet: the scanner reads it before its first scan.');

  const fits = name === undefined ? () => true : nameFilter(name);
  const all = (await knownFiles(projection, await connections.jobs()))
    .map((known) => ({ ...known, feed: known.record?.feed ?? matchFeed(feeds, known.file)?.name ?? '' }))
    .filter((known) => fits(known.file))
    .filter((known) => feed === undefined || known.feed === feed)
    .filter((known) => state === undefined || known.states.includes(state));
  const shown = all.slice(0, limit);
  const answer = shown.map(({ file, feed: of, states, record }) => ({
    file,
    feed: of,
    states,
    ...(record
      ? {
          generation: record.generation,
          rows: record.rows,
          messages: record.messages,
          rejects: record.rejects,
          size: record.size,
          committedAt: record.committedAt,
        }
      : {}),
  }));
  out.answer({ files: answer, total: all.length }, () => {
    if (shown.length > 0)
      out.table(
        ['file', 'feed', 'state', 'messages', 'rejects', 'committed'],
        shown.map(({ file, feed: of, states, record }) => [
          file,
          of,
          states.some((each) => each === 'failed' || each === 'changed')
            ? { text: states.join(', '), style: 'red' }
            : states.join(', '),
          record ? count(record.messages) : '',
          record ? count(record.rejects) : '',
          record ? time(record.committedAt) : '',
        ]),
      );
    out.line(
      shown.length < all.length
        ? `${plural(all.length, 'file')}, the first ${count(shown.length)} shown`
        : plural(all.length, 'file'),
    );
  });
  return EXIT.ok;
}
