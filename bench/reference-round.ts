import { BenchWorld } from './bench-world.ts';
import { topicProblems } from './check-round.ts';
import type { PreparedSet } from './file-sets.ts';
import type { RoundParts } from './ingest-round.ts';
import { currentLoad } from './machine.ts';
import { MeasuredProcess } from './measured-process.ts';
import { roundOf, type Round } from './round.ts';

/** The reference pipeline over the same files, measured in the same way. */
export async function referenceRound(set: PreparedSet, { parts, judge }: RoundParts, name: string): Promise<Round> {
  const loadBefore = currentLoad();
  const world = await BenchWorld.create(name, parts.env, set.directory);
  const reference = MeasuredProcess.start({
    name,
    instanceDir: parts.instance.dir,
    program: 'bench/reference-pipeline.ts',
    settings: world.env,
  });
  try {
    const ready = await reference.untilLine('reference ready');
    const atReady = reference.usage();
    const done = await reference.untilLine('reference done');
    const atEnd = reference.usage();
    await reference.stop();
    const times = { startedAt: Date.parse(ready.time ?? ''), endedAt: Date.parse(done.time ?? '') };
    const problems = await topicProblems(set, world, judge);
    return roundOf({ files: set.files, records: set.rows, ...times, atReady, atEnd, loadBefore }, problems);
  } finally {
    await reference.stop();
    await world.remove();
  }
}
