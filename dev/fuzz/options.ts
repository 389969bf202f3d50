import { parseArgs } from 'node:util';

/** What the fuzzer is asked to do. */
export interface FuzzOptions {
  /** How long rounds are begun. */
  readonly minutes: number;
  /** The same seed gives the same files. */
  readonly seed: number;
  /** This round alone, however long it takes. */
  readonly round: number | undefined;
  /** Files in a round. */
  readonly files: number;
}

/** Somebody typed something that the fuzzer does not know; the message is one line. */
export class OptionError extends Error {}

export const HELP = [
  'Puts random and damaged files under random and hostile names through the whole ingester on the real parts, and compares',
  "what Kafka's own Java consumer finds with what csv-parse says of each file. Exits with 0 only when nothing differs.",
  '',
  '  npx pnpm fuzz [OPTION...]',
  '',
  '  --minutes N   rounds are begun for so long (5)',
  '  --seed S      the same seed gives the same files (1)',
  '  --round R     only this round of the seed: to see a difference again',
  '  --files N     files in a round (400)',
  '  --help        show this',
].join('\n');

/** From the arguments of the command line to what they ask for. Throws OptionError. */
export function parseOptions(args: readonly string[]): FuzzOptions | 'help' {
  let values: { minutes?: string; seed?: string; round?: string; files?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      // pnpm hands on the "--" of "pnpm fuzz -- --minutes 3"
      args: args.filter((arg) => arg !== '--'),
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        round: { type: 'string' },
        files: { type: 'string' },
        help: { type: 'boolean' },
      },
    }));
  } catch (error) {
    throw new OptionError(`${error instanceof Error ? error.message.split('.')[0] : 'bad option'} (see --help)`);
  }
  if (values.help) return 'help';
  return {
    minutes: numberOf('minutes', values.minutes ?? '5', 0.1, 1_440),
    seed: numberOf('seed', values.seed ?? '1', 0, 1_000_000),
    round: values.round === undefined ? undefined : numberOf('round', values.round, 0, 1_000_000),
    files: numberOf('files', values.files ?? '400', 1, 5_000),
  };
}

function numberOf(name: string, text: string, from: number, to: number): number {
  const number = Number(text);
  const whole = name === 'minutes' || Number.isInteger(number);
  if (text !== '' && whole && number >= from && number <= to) return number;
  throw new OptionError(`--${name} takes a number from ${from} to ${to}, not ${JSON.stringify(text)}`);
}
