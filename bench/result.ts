import type { Limit } from './limits.ts';
import type { Machine } from './machine.ts';
import type { Profile } from './profile.ts';
import type { Round } from './round.ts';
import type { ScanResult } from './scan-rounds.ts';
import { spreadOf, type Spread } from './statistics.ts';

const FIGURES = [
  'recordsPerSecond',
  'filesPerSecond',
  'cpuSecondsPerMillion',
  'cpuSecondsPerMillionWithStart',
  'cpuMsPerFile',
  'peakRssMb',
  'loadBefore',
] as const;
export type Summary = Readonly<Record<(typeof FIGURES)[number], Spread>>;

export interface SetResult {
  readonly name: string;
  readonly files: number;
  readonly rowsPerFile: number;
  readonly megabytes: number;
  readonly ingester: Summary;
  readonly reference?: Summary;
  readonly rounds: { readonly ingester: readonly Round[]; readonly reference: readonly Round[] };
}

export interface FarAway {
  readonly roundTripMs: number;
  readonly recordsPerSecond: Spread;
  readonly rounds: readonly Round[];
}

/** Everything that a run found out, as it is written to a file. */
export interface BenchResult {
  readonly at: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly slots: number;
  readonly shrink: number;
  readonly loadBefore: number;
  readonly sets: readonly SetResult[];
  /** The sets again with COMPRESSION=lz4. */
  readonly lz4: readonly SetResult[];
  readonly farAway: readonly FarAway[];
  readonly scan?: ScanResult;
  readonly limits: readonly Limit[];
  readonly profiles: readonly { readonly set: string; readonly profile: Profile }[];
}

/** Median and spread of every figure. */
export function summaryOf(rounds: readonly Round[]): Summary {
  const entries = FIGURES.map((figure) => [figure, spreadOf(rounds.map((round) => round[figure]))] as const);
  return Object.fromEntries(entries) as Summary;
}

/** What makes a run a failure, however fast it was. */
export function problemsOf({ sets, lz4, farAway, scan }: BenchResult): string[] {
  const rounds = [...sets, ...lz4].flatMap((set) =>
    [...set.rounds.ingester, ...set.rounds.reference].map((round) => ({ of: set.name, round })),
  );
  const far = farAway.flatMap((away) => away.rounds.map((round) => ({ of: `${away.roundTripMs} ms`, round })));
  return [
    ...[...rounds, ...far].flatMap(({ of, round }) => round.problems.map((problem) => `${of}: ${problem}`)),
    ...(scan?.problems ?? []).map((problem) => `scan: ${problem}`),
  ];
}
