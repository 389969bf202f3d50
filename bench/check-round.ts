import type { CommittedReader } from '../dev/kafka-counter/committed-reader.ts';
import type { BenchWorld } from './bench-world.ts';
import type { PreparedSet } from './file-sets.ts';

const DEADLINE_MS = 300_000;
/** Telling the messages of each file apart means to parse each of them. */
const COUNT_BY_FILE_UP_TO = 2_000_000;

/** What Kafka's own consumer sees under read_committed must be each file's rows, no more and no less. */
export async function topicProblems(set: PreparedSet, world: BenchWorld, judge: CommittedReader): Promise<string[]> {
  if (set.rows > COUNT_BY_FILE_UP_TO) {
    const counts = await judge.count(world.recordTopics, DEADLINE_MS);
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return total === set.rows ? [] : [`${total} messages of ${set.rows} rows`];
  }
  const counts = await judge.countBySourceFile(world.recordTopics, DEADLINE_MS);
  const byFile = new Map(counts.map(({ sourceFile, count }) => [sourceFile, count]));
  const wrong = set.content.filter(({ job, rows }) => byFile.get(job.file) !== rows);
  return [
    ...wrong.map(({ job, rows }) => `${job.file}: ${byFile.get(job.file) ?? 0} messages of ${rows} rows`),
    ...(counts.length > set.content.length ? ['messages of files that were not sent'] : []),
  ];
}

/** The ledger must say of each file that it is committed, with all its rows. */
export async function ledgerProblems(set: PreparedSet, world: BenchWorld): Promise<string[]> {
  const entries = await world.ledgerEntries();
  return set.content.flatMap(({ job, rows }) => {
    const entry = entries.get(job.file);
    const right = entry?.state === 'committed' && entry.rows === rows && entry.messages === rows;
    return right
      ? []
      : [`${job.file}: the ledger says ${entry?.state ?? 'nothing'}, ${entry?.messages ?? 0} of ${rows}`];
  });
}
