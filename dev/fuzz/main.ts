import { performance } from 'node:perf_hooks';
import { count, seconds, table } from '../demo/text.ts';
import { CommittedReader } from '../kafka-counter/committed-reader.ts';
import { clearSettings } from '../services/clear-settings.ts';
import { startParts, type OwnedParts } from '../services/parts.ts';
import { fuzzRound, type RoundResult } from './fuzz-round.ts';
import { HELP, OptionError, parseOptions, type FuzzOptions } from './options.ts';

const SHOWN_PROBLEMS = 20;

let parts: OwnedParts | undefined;

async function fuzz(options: FuzzOptions): Promise<number> {
  say(`seed ${options.seed}, ${options.round === undefined ? `${options.minutes} min` : `round ${options.round}`}`);
  parts = await startParts({ instance: 'fuzz', brokers: 1, progress: say });
  clearSettings();
  const java = await CommittedReader.start(parts.env['KAFKA_BROKERS'] ?? '', say);
  const results: RoundResult[] = [];
  const until = performance.now() + options.minutes * 60_000;
  for (let round = options.round ?? 0; ; round++) {
    const startedAt = performance.now();
    const result = await fuzzRound(parts, java, options, round);
    results.push(result);
    reportRound(round, result, performance.now() - startedAt);
    if (options.round !== undefined || performance.now() > until) break;
  }
  await java.stop();
  return report(results);
}

function reportRound(round: number, { settings, files, rows, refused, problems }: RoundResult, tookMs: number): void {
  const { fieldChecks, maxLineBytes, maxRejectRatio, transactionMaxRecords, compression } = settings;
  const set = `checks ${fieldChecks}, lines of ${maxLineBytes}, ratio ${maxRejectRatio}, cut at ${transactionMaxRecords}, ${compression}`;
  say(
    `round ${round}: ${files} files, ${count(rows)} rows, ${refused} refused, ${problems.length} problems ` +
      `(${seconds(tookMs)}; ${set})`,
  );
  for (const problem of problems.slice(0, SHOWN_PROBLEMS)) say(`  PROBLEM: ${problem}`);
  if (problems.length > SHOWN_PROBLEMS) say(`  and ${problems.length - SHOWN_PROBLEMS} more`);
}

function report(results: readonly RoundResult[]): number {
  const sum = (of: (result: RoundResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const codes = new Map<string, number>();
  for (const result of results)
    for (const [code, times] of result.codes) codes.set(code, (codes.get(code) ?? 0) + times);
  say('');
  for (const line of table([...codes].toSorted().map(([code, times]) => [code, count(times)]))) say(line);
  say('');
  const problems = sum((result) => result.problems.length);
  say(
    `${count(sum(({ files }) => files))} files in ${results.length} rounds, ${count(sum(({ mutated }) => mutated))} of them damaged: ` +
      `${count(sum(({ rows }) => rows))} rows expected = ${count(sum(({ messages }) => messages))} messages + ` +
      `${count(sum(({ rejects }) => rejects))} rejects found, ${count(sum(({ refused }) => refused))} files refused`,
  );
  say(problems === 0 ? 'No difference.' : `${problems} problems.`);
  return problems === 0 ? 0 : 1;
}

function say(line: string): void {
  console.log(line);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void (parts?.stop() ?? Promise.resolve()).finally(() => process.exit(1)));
try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') say(HELP);
  else process.exitCode = await fuzz(options);
} catch (error) {
  console.error(error instanceof OptionError ? error.message : error);
  process.exitCode = 1;
}
await parts?.stop();
process.exit();
