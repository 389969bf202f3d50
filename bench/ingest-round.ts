import type { CommittedReader } from '../dev/kafka-counter/committed-reader.ts';
import type { Parts } from '../dev/services/parts.ts';
import { BenchWorld } from './bench-world.ts';
import { ledgerProblems, topicProblems } from './check-round.ts';
import type { PreparedSet } from './file-sets.ts';
import { currentLoad } from './machine.ts';
import { MeasuredProcess, type LogLine } from './measured-process.ts';
import { monotonicMicros, type Period } from './profile.ts';
import { roundOf, type Round } from './round.ts';

export interface RoundParts {
  readonly parts: Parts;
  readonly judge: CommittedReader;
}

export interface IngestOptions {
  /** Unique within a run. */
  readonly name: string;
  /** Over what the production defaults are. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where to write the worker's CPU profile, and who is told of which part of it the round was. */
  readonly profile?: { readonly dir: string; readonly tellPeriod: (period: Period) => void };
}

/**
 * One worker process, as in production, takes a set of files that are in the queue already when the clock begins. The
 * clock ends when the last file is committed and said to be; then it is checked that everything arrived.
 */
export async function ingestRound(
  set: PreparedSet,
  { parts, judge }: RoundParts,
  { name, settings = {}, profile }: IngestOptions,
): Promise<Round> {
  const loadBefore = currentLoad();
  const world = await BenchWorld.create(name, parts.env, set.directory, settings);
  const worker = MeasuredProcess.start({
    name,
    instanceDir: parts.instance.dir,
    program: 'apps/worker/src/main.ts',
    settings: world.env,
    nodeFlags: profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile.dir}`],
  });
  try {
    await worker.untilLine('worker ready');
    const atReady = worker.usage();
    const from = monotonicMicros();
    const startedAt = Date.now();
    await world.enqueue(set.content.map(({ job }) => job));
    const endedAt = await worker.until((lines) => lastCompletion(lines, set.files));
    await world.untilQueueIsDone(set.files);
    const atEnd = worker.usage();
    profile?.tellPeriod({ from, to: monotonicMicros() });
    await worker.stop();
    const problems = [...(await topicProblems(set, world, judge)), ...(await ledgerProblems(set, world))];
    return roundOf({ files: set.files, records: set.rows, startedAt, endedAt, atReady, atEnd, loadBefore }, problems);
  } finally {
    await worker.stop();
    await world.remove();
  }
}

/** When the last of so many files was completed, ms since 1970. */
function lastCompletion(lines: readonly LogLine[], files: number): number | undefined {
  const completed = lines.filter(({ msg }) => msg?.startsWith('Completed '));
  return completed.length < files ? undefined : Date.parse(completed.at(-1)?.time ?? '');
}
