import { parseArgs } from 'node:util';

/** What the demo is asked to do. */
export interface DemoOptions {
  /** Ordinary files; one larger file comes on top. */
  readonly files: number;
  /** Rows in each of them. */
  readonly rows: number;
  readonly workers: number;
  readonly seed: number;
  /** Leave everything running until Ctrl-C. */
  readonly keep: boolean;
}

/** Somebody typed something that the demo does not know; the message is one line. */
export class OptionError extends Error {}

const NUMBERS = {
  files: { standard: 120, from: 1, to: 20_000, about: 'CDR files, one larger file on top' },
  rows: { standard: 1_000, from: 1, to: 200_000, about: 'rows in each file' },
  workers: { standard: 2, from: 1, to: 16, about: 'worker processes' },
  seed: { standard: 1, from: 0, to: 1_000_000, about: 'of the generated rows: the same seed gives the same files' },
} as const;
type NumberName = keyof typeof NUMBERS;
const NUMBER_NAMES = Object.keys(NUMBERS) as NumberName[];

export const HELP = [
  'Ingests generated CDR files with the real parts (OpenSSH, Redis, Kafka), kills a worker on the way, and has',
  "Kafka's own Java consumer count what arrived. Everything is stopped at the end.",
  '',
  '  npx pnpm demo [OPTION...]',
  '',
  ...NUMBER_NAMES.map((name) => {
    const { standard, about } = NUMBERS[name];
    return `  ${`--${name} N`.padEnd(13)}${about} (${standard})`;
  }),
  '  --keep       leave everything running afterwards, until Ctrl-C',
  '  --help       show this',
].join('\n');

/** From the arguments of the command line to what they ask for. Throws OptionError. */
export function parseOptions(args: readonly string[]): DemoOptions | 'help' {
  const { tokens } = parseArgs({
    // pnpm hands on the "--" of "pnpm demo -- --files 3"
    args: args.filter((arg) => arg !== '--'),
    options: {
      ...Object.fromEntries(NUMBER_NAMES.map((name) => [name, { type: 'string' as const }])),
      keep: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
    // what it throws by itself is several sentences long
    strict: false,
    tokens: true,
  });
  const numbers = Object.fromEntries(NUMBER_NAMES.map((name) => [name, NUMBERS[name].standard])) as Record<
    NumberName,
    number
  >;
  let keep = false;
  for (const token of tokens) {
    if (token.kind === 'positional') throw new OptionError(`"${token.value}" is no option of the demo (see --help)`);
    if (token.kind !== 'option') continue;
    if (token.name === 'help') return 'help';
    if (token.name === 'keep') keep = true;
    else if (isNumberName(token.name)) numbers[token.name] = numberOf(token.name, token.value);
    else throw new OptionError(`there is no option ${token.rawName} (see --help)`);
  }
  return { ...numbers, keep };
}

function isNumberName(name: string): name is NumberName {
  return Object.hasOwn(NUMBERS, name);
}

function numberOf(name: NumberName, text: string | undefined): number {
  const { from, to } = NUMBERS[name];
  const number = /^\d{1,9}$/.test(text ?? '') ? Number(text) : NaN;
  if (number >= from && number <= to) return number;
  const given = text === undefined ? 'nothing is given' : `not "${text}"`;
  throw new OptionError(`--${name} takes a whole number from ${from} to ${to}, ${given}`);
}
