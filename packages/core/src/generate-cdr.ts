/**
 * CDR files as the generator of test data writes them: CRLF line ends, fractional seconds, South African numbers. The
 * same seed gives the same bytes.
 */
export interface GeneratedFile {
  readonly name: string;
  readonly feed: 'data' | 'voice';
  readonly rows: number;
  readonly content: Buffer;
}

export interface GenerateOptions {
  readonly files: number;
  readonly rowsPerFile: number;
  readonly seed: number;
  /** Time in the first file's name; each feed's next file is an hour later. */
  readonly from?: Date;
}

const HEADERS = {
  data: 'msisdn,tower_id,up_bytes,down_bytes,data_type,ip_address,website_url,event_datetime',
  voice: 'msisdn,tower_id,call_type,dest_nr,call_duration_sec,start_time',
} as const;
const DATA_TYPES = ['video', 'audio', 'web', 'social', 'messaging', 'download'];
const CALL_TYPES = ['voice', 'video'];
const SITES = [
  'https://example.com/',
  'https://example.org/watch?v=',
  'https://news.example.net/a/',
  'https://example.co.za/',
];
const HOUR_MS = 3_600_000;

/** Files in turn of the two feeds, one at a time, so that many need little memory. */
export function* generateCdrFiles(options: GenerateOptions): Generator<GeneratedFile> {
  const from = (options.from ?? new Date('2024-01-01T00:00:00Z')).getTime();
  for (let i = 0; i < options.files; i++) {
    const feed = i % 2 === 0 ? 'data' : 'voice';
    const hour = from + Math.floor(i / 2) * HOUR_MS;
    const random = randomFrom(options.seed * 1_000_003 + i);
    const lines: string[] = [HEADERS[feed]];
    for (let row = 0; row < options.rowsPerFile; row++) lines.push(ROWS[feed](random, hour));
    const name = `cdr_${feed}_${stamp(hour)}.csv`;
    yield { name, feed, rows: options.rowsPerFile, content: Buffer.from(`${lines.join('\r\n')}\r\n`) };
  }
}

type Random = () => number;

const ROWS: Readonly<Record<'data' | 'voice', (random: Random, hourMs: number) => string>> = {
  data: (random, hour) =>
    [
      number(random),
      1 + below(random, 5_000),
      below(random, 10_000_000),
      below(random, 100_000_000),
      pick(random, DATA_TYPES),
      `41.${below(random, 256)}.${below(random, 256)}.${1 + below(random, 254)}`,
      `${pick(random, SITES)}${below(random, 1_000_000).toString(36)}`,
      time(random, hour),
    ].join(','),
  voice: (random, hour) =>
    [
      number(random),
      1 + below(random, 5_000),
      pick(random, CALL_TYPES),
      number(random),
      1 + below(random, 3_600),
      time(random, hour),
    ].join(','),
};

function number(random: Random): string {
  return `+278${(10_000_000 + below(random, 90_000_000)).toString()}`;
}

/** Within the hour, as Python prints a datetime: `2024-01-01 10:15:30.123456`. */
function time(random: Random, hourMs: number): string {
  const iso = new Date(hourMs + below(random, HOUR_MS)).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}${below(random, 1_000).toString().padStart(3, '0')}`;
}

function stamp(ms: number): string {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 10).replaceAll('-', '')}_${iso.slice(11, 19).replaceAll(':', '')}`;
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[below(random, list.length)] as T;
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

/** Mulberry32: small, fast, and the same everywhere. */
function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
