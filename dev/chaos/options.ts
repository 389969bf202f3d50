import { parseArgs } from 'node:util';

/** What the soak is asked to do. */
export interface SoakOptions {
  readonly minutes: number;
  /** Of the order of faults and of the generated rows. */
  readonly seed: number;
  readonly brokers: 1 | 3;
  readonly workers: number;
  /** Kinds of faults to choose from; all when empty. */
  readonly only: readonly string[];
}

/** Somebody typed something that the soak does not know; the message is one line. */
export class OptionError extends Error {}

export const HELP = [
  'Ingests generated CDR files with the real parts while faults are injected at random, then heals everything, waits for',
  "quiet and has Kafka's own Java consumer count every row. Exits with 0 only when none is missing and none doubled.",
  '',
  '  npx pnpm chaos [OPTION...]',
  '',
  '  --minutes N   how long faults are injected (10)',
  '  --seed S      the same seed gives the same schedule of faults (1)',
  '  --brokers N   1 or 3; with one, faults of the broker are milder: see the output (1)',
  '  --workers N   worker processes, 2 or more (3)',
  '  --only A,B    faults of these kinds alone',
  '  --help        show this',
].join('\n');

/** From the arguments of the command line to what they ask for. Throws OptionError. */
export function parseOptions(args: readonly string[]): SoakOptions | 'help' {
  let values: { minutes?: string; seed?: string; brokers?: string; workers?: string; only?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      // pnpm hands on the "--" of "pnpm chaos -- --minutes 3"
      args: args.filter((arg) => arg !== '--'),
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        brokers: { type: 'string' },
        workers: { type: 'string' },
        only: { type: 'string' },
        help: { type: 'boolean' },
      },
    }));
  } catch (error) {
    throw new OptionError(`${error instanceof Error ? error.message.split('.')[0] : 'bad option'} (see --help)`);
  }
  if (values.help) return 'help';
  const brokers = numberOf('brokers', values.brokers ?? '1', 1, 3);
  if (brokers === 2) throw new OptionError('--brokers takes 1 or 3');
  return {
    minutes: numberOf('minutes', values.minutes ?? '10', 0.1, 600),
    seed: numberOf('seed', values.seed ?? '1', 0, 1_000_000),
    brokers: brokers === 3 ? 3 : 1,
    workers: numberOf('workers', values.workers ?? '3', 2, 16),
    only: values.only?.split(',').filter((name) => name !== '') ?? [],
  };
}

function numberOf(name: string, text: string, from: number, to: number): number {
  const number = Number(text);
  const whole = name === 'minutes' || Number.isInteger(number);
  if (text !== '' && whole && number >= from && number <= to) return number;
  throw new OptionError(`--${name} takes a number from ${from} to ${to}, not ${JSON.stringify(text)}`);
}
