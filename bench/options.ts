import { parseArgs } from 'node:util';
import { FILE_SETS } from './file-sets.ts';

/** What a run measures, beside the sets of files. */
export const EXTRAS = ['scan', 'rtt', 'lz4', 'limits'] as const;
export type Extra = (typeof EXTRAS)[number];
export type SetName = keyof typeof FILE_SETS;

export interface BenchOptions {
  readonly sets: readonly SetName[];
  readonly extras: readonly Extra[];
  /** Of each set; the reference pipeline runs as often. */
  readonly rounds: number;
  readonly reference: boolean;
  readonly slots: number;
  /** Files in the directory whose listing is measured. */
  readonly scanFiles: number;
  /** Every set this much smaller, to try the benchmark itself. */
  readonly shrink: number;
  readonly profile: boolean;
  readonly jsonFile: string | undefined;
  /** Whether the result goes into bench/results. */
  readonly keep: boolean;
}

/** Somebody typed something that the benchmark does not know; the message is one line. */
export class OptionError extends Error {}

const SET_NAMES = Object.keys(FILE_SETS) as SetName[];

export const HELP = `Measures the ingester on real parts (OpenSSH, Redis, Kafka), which it starts and stops.

  npx pnpm bench [OPTION...]

  --sets S,M,L        sets of files: ${SET_NAMES.map((name) => `${name} ${FILE_SETS[name].files} x ${FILE_SETS[name].rowsPerFile.toLocaleString('en-US')}`).join(', ')} rows (S,SS,M,L)
  --extras LIST       scan (a directory of 100,000 files), rtt (L at 10 and 50 ms round trip), lz4 (S and L compressed),
                      limits (broker, SFTP read and CSV step alone); "none" for none (all)
  --rounds N          of each set, ingester and reference pipeline in turn (3)
  --no-reference      without the reference pipeline
  --slots N           WORKER_CONCURRENCY (4, the default of a worker)
  --scan-files N      files in that directory (100000)
  --shrink N          sets N times smaller: tries the benchmark, the figures mean nothing
  --cpu-prof          one more round of each set under the profiler: where the worker's CPU time goes
  --json FILE         writes the result there too
  --no-keep           writes nothing into bench/results
  --help              show this`;

/** From the arguments of the command line to what they ask for. Throws OptionError. */
export function parseOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parse(args);
  if (values.help) return 'help';
  return {
    sets: namesIn('--sets', values.sets, SET_NAMES),
    extras: namesIn('--extras', values.extras, EXTRAS),
    rounds: numberIn('--rounds', values.rounds),
    reference: values.reference,
    slots: numberIn('--slots', values.slots),
    scanFiles: numberIn('--scan-files', values['scan-files']),
    shrink: numberIn('--shrink', values.shrink),
    profile: values['cpu-prof'],
    jsonFile: values.json,
    keep: values.keep,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      // pnpm hands on the "--" of "pnpm bench -- --sets S"
      args: args.filter((arg) => arg !== '--'),
      allowNegative: true,
      options: {
        sets: { type: 'string', default: 'S,SS,M,L' },
        extras: { type: 'string', default: EXTRAS.join(',') },
        rounds: { type: 'string', default: '3' },
        reference: { type: 'boolean', default: true },
        slots: { type: 'string', default: '4' },
        'scan-files': { type: 'string', default: '100000' },
        shrink: { type: 'string', default: '1' },
        'cpu-prof': { type: 'boolean', default: false },
        json: { type: 'string' },
        keep: { type: 'boolean', default: true },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new OptionError(`${error instanceof Error ? error.message.split('. ')[0] : String(error)} (see --help)`);
  }
}

function namesIn<Name extends string>(option: string, text: string, known: readonly Name[]): Name[] {
  if (text === 'none') return [];
  return text.split(',').map((name) => {
    const found = known.find((candidate) => candidate.toLowerCase() === name.trim().toLowerCase());
    if (found === undefined) throw new OptionError(`${option} takes ${known.join(', ')} or none, not "${name}"`);
    return found;
  });
}

function numberIn(option: string, text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new OptionError(`${option} takes a whole number from 1 on, not "${text}"`);
  return Number(text);
}
