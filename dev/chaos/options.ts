import { parseArgs } from 'node:util';
import { OUTAGES, type Outage } from './long-outage.ts';

/** What the soak is asked to do. */
export interface SoakOptions {
  readonly minutes: number;
  /** Of the order of faults and of the generated rows. */
  readonly seed: number;
  readonly brokers: 1 | 3;
  readonly workers: number;
  /** Kinds of faults to choose from; all when empty. */
  readonly only: readonly string[];
  /** Instead of faults at random: one service away all the time. */
  readonly outage: Outage | undefined;
  /** Jobs that wait when that begins. */
  readonly waiting: number;
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
  '  --outage X    instead: kafka, redis or sftp is away for all of N minutes, while thousands of jobs wait',
  '  --waiting N   so many (10000)',
  '  --help        show this',
].join('\n');

/** From the arguments of the command line to what they ask for. Throws OptionError. */
export function parseOptions(args: readonly string[]): SoakOptions | 'help' {
  let values: {
    minutes?: string;
    seed?: string;
    brokers?: string;
    workers?: string;
    only?: string;
    outage?: string;
    waiting?: string;
    help?: boolean;
  };
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
        outage: { type: 'string' },
        waiting: { type: 'string' },
        help: { type: 'boolean' },
      },
    }));
  } catch (error) {
    throw new OptionError(`${error instanceof Error ? error.message.split('.')[0] : 'bad option'} (see --help)`);
  }
  if (values.help) return 'help';
  const brokers = numberOf('brokers', values.brokers ?? '1', 1, 3);
  if (brokers === 2) throw new OptionError('--brokers takes 1 or 3');
  const { outage } = values;
  if (outage !== undefined && !isOutage(outage))
    throw new OptionError(`--outage takes ${Object.keys(OUTAGES).join(', ')}, not ${JSON.stringify(outage)}`);
  if (outage === 'kafka' && brokers === 3)
    throw new OptionError('--outage kafka stops one broker: without --brokers 3');
  return {
    outage,
    waiting: numberOf('waiting', values.waiting ?? '10000', 200, 100_000),
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

function isOutage(name: string): name is Outage {
  return Object.hasOwn(OUTAGES, name);
}
