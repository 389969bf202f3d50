import { table } from '../dev/demo/text.ts';
import type { Profile } from './profile.ts';
import { problemsOf, type BenchResult, type SetResult, type Summary } from './result.ts';
import type { Spread } from './statistics.ts';
import { checkTargets } from './targets.ts';

const FUNCTIONS_SHOWN = 25;

/** The result as lines for people. */
export function reportLines(result: BenchResult): string[] {
  const { machine, scan } = result;
  const checks = checkTargets(result);
  const problems = problemsOf(result);
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}, Node ${machine.node}`,
    `${machine.broker}; load before the run ${result.loadBefore}; ${result.slots} slots; commit ${result.commit}`,
    ...(result.shrink > 1 ? [`Sets ${result.shrink} times smaller than they are: the figures mean nothing.`] : []),
    ...section('Sets: median (least - most)', setTable([...result.sets, ...result.lz4])),
    ...section(
      'L far away',
      result.farAway.length === 0
        ? []
        : table([
            ['round trip', 'records/s', 'load'],
            ...result.farAway.map(({ roundTripMs, recordsPerSecond, rounds }) => [
              `${roundTripMs} ms`,
              shown(recordsPerSecond, 0),
              rounds.map((round) => round.loadBefore).join(', '),
            ]),
          ]),
    ),
    ...section(
      `Scan of ${whole(scan?.files ?? 0)} files`,
      scan
        ? table([
            ['', 'seconds'],
            ['first look', scan.firstLookSeconds.toFixed(2)],
            ['scan that enqueues', scan.enqueueSeconds.toFixed(2)],
            ['from ready to all enqueued, pause included', scan.untilEnqueuedSeconds.toFixed(2)],
            ['nothing new, all in the queue', scan.nothingNewQueuedSeconds.toFixed(2)],
            ['nothing new, first scan of a scanner', scan.nothingNewFirstSeconds.toFixed(2)],
            ['nothing new, all ingested', scan.nothingNewIngestedSeconds.toFixed(2)],
            ['projection rebuilt from the ledger', scan.rebuildSeconds.toFixed(2)],
            ['CPU of the scan that enqueues', scan.cpuSecondsEnqueue.toFixed(2)],
            ['CPU of two scans with nothing new', scan.cpuSecondsNothingNew.toFixed(2)],
            ...Object.entries(scan.peakRssMb).map(([which, mb]) => [`peak RSS, MB: ${which}`, mb.toFixed(0)]),
            ['load before', String(scan.loadBefore)],
          ])
        : [],
    ),
    ...section(
      'Limits',
      result.limits.length === 0
        ? []
        : table([
            ['', 'records/s', 'MB/s', 'CPU s/million', 'load'],
            ...result.limits.map((limit) => [
              limit.name,
              whole(limit.recordsPerSecond),
              limit.megabytesPerSecond.toFixed(0),
              limit.cpuSecondsPerMillion.toFixed(2),
              String(limit.loadBefore),
            ]),
          ]),
    ),
    ...result.profiles.flatMap(({ set, profile }) => section(`CPU of the worker on ${set}`, profileLines(profile))),
    ...section(
      'Targets',
      checks.length === 0
        ? []
        : table([
            ['', 'target', 'measured', ''],
            ...checks.map(({ what, target, measured, met }) => [what, target, measured, met ? 'met' : 'MISSED']),
          ]),
    ),
    ...section('Wrong results', problems),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines];
}

function setTable(sets: readonly SetResult[]): string[] {
  if (sets.length === 0) return [];
  const header = ['set', 'records/s', 'files/s', 'CPU s/million', 'with start', 'CPU ms/file', 'RSS MB', 'load'];
  return table([
    header,
    ...sets.flatMap((set) => [
      row(set.name, set.ingester),
      ...(set.reference ? [row(`${set.name} reference`, set.reference)] : []),
    ]),
  ]);
}

function row(name: string, summary: Summary): string[] {
  return [
    name,
    shown(summary.recordsPerSecond, 0),
    shown(summary.filesPerSecond, 1),
    shown(summary.cpuSecondsPerMillion, 2),
    summary.cpuSecondsPerMillionWithStart.median.toFixed(2),
    shown(summary.cpuMsPerFile, 2),
    summary.peakRssMb.max.toFixed(0),
    summary.loadBefore.median.toFixed(1),
  ];
}

function profileLines({ totalMs, stages, functions }: Profile): string[] {
  const share = (ms: number): string => `${((ms / totalMs) * 100).toFixed(1)} %`;
  return [
    ...table([
      ['stage', 'ms', 'share'],
      ...stages.map(({ stage, selfMs }) => [stage, selfMs.toFixed(0), share(selfMs)]),
    ]),
    '',
    ...functions
      .slice(0, FUNCTIONS_SHOWN)
      .map(({ stage, name, selfMs }) => `${share(selfMs).padStart(7)}  ${stage.padEnd(16)} ${name}`),
  ];
}

function shown({ median, min, max }: Spread, digits: number): string {
  const text = (value: number): string => (digits === 0 ? whole(value) : value.toFixed(digits));
  return min === max ? text(median) : `${text(median)} (${text(min)} - ${text(max)})`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
