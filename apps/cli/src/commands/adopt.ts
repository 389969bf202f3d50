import { readFileSync } from 'node:fs';
import { matchFeed, type Feed } from '@cdr/core/feeds';
import { inOrder, timeInName } from '@cdr/core/file-order';
import { LEDGER_VERSION, type FileIdentity, type LedgerRecord } from '@cdr/core/ledger-record';
import { claimedFiles, type ListedFile } from '@cdr/core/select-files';
import { catchUpProjection } from '@cdr/ledger/catch-up-projection';
import { changeEntry } from '@cdr/ledger/change-entry';
import { FILES_PER_ENTRY } from '@cdr/queue/audit-stream';
import type { Command } from 'commander';
import { parseAdoptList } from '../adopt-list.ts';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.ts';
import { inParallel } from '../in-parallel.ts';
import { timeValue } from '../option-values.ts';
import { count, plural } from '../output/words.ts';
import { timeOfName } from '../parse-time.ts';

interface AdoptOptions extends CommonOptions {
  readonly before?: number;
  readonly dryRun?: boolean;
}

const WRITES_AT_ONCE = 8;
const PROBLEMS_SHOWN = 20;
/** A name that is not on the server: should it come back, it differs from this and is reported as changed. */
const NOT_THERE: FileIdentity = { size: 0, mtimeMs: 0 };

const ADOPT_HELP = `
Each file gets a ledger record "adopted": it counts as ingested, with the size and time that it has on the server now.
A name in the list that is not on the server is adopted, too: should it be uploaded again, it is reported as changed and
not ingested. Files that are in the ledger already are left alone, so that the command may be repeated.
--before goes by the time in a file's name (UTC), or by its time of change where the name has none.`;

export function addAdopt(program: Command, run: Runner): void {
  program
    .command('adopt')
    .description('write files into the ledger that another program has ingested, so that they are not ingested again')
    .argument('[list]', 'a file with names, one a line, such as processed_files.txt')
    .option('--before <time>', 'instead of a list: every file on the server that is older', timeValue)
    .option('--dry-run', 'only say which')
    .addHelpText('after', ADOPT_HELP)
    .action((list: string | undefined, options: AdoptOptions) =>
      run(options, (context) => adopt(context, list, options)),
    );
}

interface Candidate extends FileIdentity {
  readonly name: string;
  readonly feed: Feed;
}

async function adopt(context: CommandContext, list: string | undefined, options: AdoptOptions): Promise<ExitCode> {
  const { out, connections } = context;
  if ((list === undefined) === (options.before === undefined))
    throw new UsageError('name either a LIST of names or --before TIME');
  const { sftp, feeds } = context.config();
  // everything is looked at before the first record is written
  const names = list === undefined ? undefined : readList(list, feeds);
  const listing = (await connections.sftp().withChannel((channel) => channel.list(sftp.remotePath))).filter(
    ({ isRegularFile }) => isRegularFile,
  );
  const candidates = names ? fromList(names, listing, feeds) : olderThan(options.before ?? 0, listing, feeds);
  const missing = candidates.filter((candidate) => candidate.mtimeMs === NOT_THERE.mtimeMs && candidate.size === 0);

  const ledger = await connections.ledger();
  await catchUpProjection(ledger.projection, ledger.ledgerReader, ledger.ledger());
  const known = await ledger.projection.records(candidates.map(({ name }) => name));
  const unknown = candidates.filter(({ name }) => !known.has(name));

  const adopted: string[] = [];
  if (!options.dryRun) {
    const progress = out.progress('files adopted', unknown.length);
    const startedAt = new Date().toISOString();
    try {
      await inParallel(unknown, WRITES_AT_ONCE, async (candidate) => {
        const { written } = await changeEntry(
          candidate.name,
          (entry, { producerId, epoch }) =>
            entry ? undefined : adoptedRecord(candidate, { producerId, epoch, startedAt, worker: context.operator }),
          ledger,
        );
        if (written) adopted.push(candidate.name);
        progress.update(adopted.length);
      });
    } finally {
      progress.end();
      for (let start = 0; start < adopted.length; start += FILES_PER_ENTRY)
        await context.audit('cdr adopt', adopted.slice(start, start + FILES_PER_ENTRY).join(', '));
      // so much is done, also when the rest was not
      if (adopted.length < unknown.length) out.note(`${plural(adopted.length, 'file')} adopted so far.`);
    }
  }
  const chosen = options.dryRun ? unknown.map(({ name }) => name) : adopted.sort();
  const left = candidates.length - chosen.length;
  out.answer(
    {
      adopted: chosen,
      alreadyKnown: left,
      notOnServer: missing.map(({ name }) => name),
      dryRun: options.dryRun ?? false,
    },
    () => {
      if (options.dryRun) for (const name of chosen) out.line(name);
      const verb = options.dryRun ? 'would be adopted' : 'adopted';
      out.line(
        `${plural(chosen.length, 'file')} ${verb}, ${count(left)} in the ledger already` +
          (missing.length > 0 ? `; ${count(missing.length)} of the list not on the server` : ''),
      );
    },
  );
  return EXIT.ok;
}

function readList(path: string, feeds: readonly Feed[]): readonly string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`the list cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { names, problems } = parseAdoptList(text, feeds);
  if (problems.length > 0) {
    const shown = problems.slice(0, PROBLEMS_SHOWN).map(({ line, text: name, problem }) => {
      return `  line ${line}: ${JSON.stringify(name)} ${problem}`;
    });
    const more = problems.length > shown.length ? [`  and ${count(problems.length - shown.length)} more`] : [];
    throw new UsageError(
      [`${path} has lines that are no names of CDR files; nothing was adopted. Remove them:`, ...shown, ...more].join(
        '\n',
      ),
    );
  }
  if (names.length === 0) throw new UsageError(`${path} has no names`);
  return names;
}

function fromList(names: readonly string[], listing: readonly ListedFile[], feeds: readonly Feed[]): Candidate[] {
  const onServer = new Map(listing.map((entry) => [entry.name, entry]));
  return names.flatMap((name) => {
    const { size, mtimeMs } = onServer.get(name) ?? NOT_THERE;
    const feed = matchFeed(feeds, name);
    return feed ? [{ name, feed, size, mtimeMs }] : [];
  });
}

function olderThan(before: number, listing: readonly ListedFile[], feeds: readonly Feed[]): Candidate[] {
  const older = claimedFiles(listing, feeds).filter(
    ({ name, mtimeMs }) => (timeOfName(timeInName(name)) ?? mtimeMs) < before,
  );
  return inOrder(older, ({ name }) => name).flatMap(({ name, size, mtimeMs }) => {
    const feed = matchFeed(feeds, name);
    return feed ? [{ name, feed, size, mtimeMs }] : [];
  });
}

function adoptedRecord(
  { name, feed, size, mtimeMs }: Candidate,
  signature: Pick<LedgerRecord, 'producerId' | 'epoch' | 'startedAt' | 'worker'>,
): LedgerRecord {
  return {
    v: LEDGER_VERSION,
    file: name,
    feed: feed.name,
    state: 'adopted',
    topic: feed.topic,
    generation: 1,
    size,
    mtimeMs,
    sha256: null,
    byteOffset: 0,
    rows: 0,
    messages: 0,
    rejects: 0,
    ranges: [],
    attempt: 0,
    jobId: '',
    committedAt: new Date().toISOString(),
    ...signature,
  };
}
