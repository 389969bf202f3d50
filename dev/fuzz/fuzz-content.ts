import { gzipSync } from 'node:zlib';
import type { Feed } from '@cdr/core/feeds';
import type { Random } from '../chaos/random.ts';

/** What a file is made of. */
export interface Draft {
  readonly random: Random;
  readonly feed: Feed;
  /** Of the deployment: long lines are made around it. */
  readonly maxLineBytes: number;
}

/** Every subscriber number in a file that was not damaged afterwards looks like this one. */
export const SUBSCRIBER_NUMBER = /(?<!\d)2782\d{7}(?!\d)/;

const MIB = 1024 * 1024;
const LINE_ENDS = ['\r\n', '\n'] as const;
/** What a column without a check may have, and JSON and CSV writers get wrong. None needs quotes. */
const TEXTS = [
  '',
  'x',
  ' ',
  'é',
  '€',
  '😀',
  '\\',
  '\t',
  '/',
  '\x01',
  '\x7f',
  '\u2028',
  "'",
  '{}',
  'null',
  '\ufeff',
  '=1+1',
];
/** None of these may be in a field without quotes. */
const QUOTED_TEXTS = ['"', '""', ',', '\n', '\r\n', 'a\n\nb', '"\n"', ',",', '\r', 'x"'];
const BAD_BYTES = ['\xff', '\xc3', '\xc3\x28', '\xed\xa0\x80', '\xf5\x80\x80\x80', '\xc0\xaf', '\x80'];
const digits = (...counts: number[]): string[] => counts.map((count) => '7'.repeat(count));
/** At the edge of what each check lets pass, on both sides. */
const EDGES = {
  integer: [
    ...digits(1, 17, 18, 19, 20),
    '',
    ' ',
    '-1',
    '+1',
    '1.0',
    '1e3',
    'NaN',
    '1 2',
    ' 1',
    '1\t',
    '٣',
    '１',
    '0x1',
  ],
  msisdn: [
    ...digits(4, 5, 20, 21),
    ...digits(4, 5, 20, 21).map((each) => `+${each}`),
    '',
    '+',
    '++12345',
    '12345 ',
    '1234a',
  ],
  'date-time': [
    ...['2024-02-30 00:00:00', '2023-02-29 12:00:00', '2024-13-01 00:00:00', '2024-01-01 24:00:00'],
    ...['2024-01-01 23:59:60', '0000-01-01 00:00:00', '0001-01-01 00:00:00', '2024-1-1 00:00:00', '2024-01-01'],
    ...['2024-01-01  00:00:00', '2024-01-01 00:00:00.', '2024-01-01 00:00:00.1234567890', '2024-01-01 00:00:00+2', ''],
    ...['2000-02-29 00:00:00', '1900-02-29 00:00:00', '2024-01-01 00:00:00Z', '2024-01-01 00:00:00-2359', 'now'],
  ],
} as const;
const RIGHT_TIMES = [
  '2024-02-29 23:59:59',
  '2024-01-01T00:00:00Z',
  '2024-01-01 00:00:00.123456789',
  '2024-01-01 00:00:00+02:00',
];
const ODD_COLUMNS = ['__proto__', 'constructor', '', 'é', 'with space', '"quoted"', 'a,b', 'toString', 'x\ny', '7'];

/** Makes a file of a kind. */
type Make = (draft: Draft) => Buffer | string;

/** Each way in which a file may be odd, the ordinary one first. What is a string is written as UTF-8. */
export const KINDS: Readonly<Record<string, Make>> = {
  clean: (draft) => fileOf(draft, rowsOf(draft, 120)),
  quoted: (draft) => fileOf(draft, rowsOf(draft, 40, oddTexts(draft, [...TEXTS, ...QUOTED_TEXTS])), { quoteAll: 0.5 }),
  'embedded newlines': (draft) =>
    fileOf(draft, rowsOf(draft, 40, oddTexts(draft, ['a\nb', '\r\n', '\n', '\r', 'x\n,"y']))),
  'short and long rows': (draft) =>
    fileOf(
      draft,
      rowsOf(draft, 80).map((row) =>
        draft.random.next() < 0.3
          ? draft.random.next() < 0.5
            ? row.slice(0, draft.random.between(1, row.length - 1))
            : [...row, ...Array.from({ length: draft.random.between(1, 4) }, () => draft.random.pick(TEXTS))]
          : row,
      ),
    ),
  'bare quotes': (draft) => damagedLines(draft, 30, 0.2, (line) => insert(draft, line, '"')),
  'unclosed quotes': (draft) =>
    damagedLines(draft, 30, 0.1, (line) => {
      const fields = line.split(',');
      const at = draft.random.between(0, fields.length - 1);
      return fields.with(at, `"${fields[at]}`).join(',');
    }),
  'text behind quotes': (draft) =>
    damagedLines(draft, 30, 0.2, (line) => {
      const fields = line.split(',');
      const at = draft.random.between(0, fields.length - 1);
      return fields.with(at, `"${fields[at]}"${draft.random.pick(['x', ' ', '\0', '\r', '"'])}`).join(',');
    }),
  'NUL bytes': (draft) => damagedLines(draft, 60, 0.3, (line) => insert(draft, line, '\0')),
  'bytes that are not UTF-8': (draft) =>
    damagedLines(draft, 60, 0.2, (line) => insert(draft, line, draft.random.pick(BAD_BYTES))),
  'byte order marks': (draft) =>
    `\ufeff${fileOf(draft, rowsOf(draft, 30))}${draft.random.next() < 0.5 ? `\ufeff${lineOf(draft, rowOf(draft))}\n` : ''}`,
  'mixed line ends': (draft) => {
    const ends = ['\r\n', '\n', '\n', '\r', '\r\r\n', '\n\r', '\u2028', '\x85', '\x0b'];
    return linesOf(draft, rowsOf(draft, 60))
      .map((line) => line + (draft.random.next() < 0.5 ? '\n' : draft.random.pick(ends)))
      .join('');
  },
  'long lines': (draft) => {
    const { random, maxLineBytes } = draft;
    const many = maxLineBytes < 20_000;
    const rows = rowsOf(draft, 12);
    const long = many ? random.between(1, 6) : 1;
    const lines = linesOf(draft, rows);
    for (let i = 0; i < long; i++) {
      const line = lineOf(draft, rowOf(draft));
      const length = random.pick([
        maxLineBytes - 1,
        maxLineBytes,
        maxLineBytes + 1,
        maxLineBytes + 2,
        maxLineBytes * 2,
      ]);
      const stuffed = stuff(draft, line, Math.max(0, length - Buffer.byteLength(line)));
      lines.splice(random.between(1, lines.length), 0, random.next() < 0.2 ? `"${stuffed}` : stuffed);
    }
    return lines.join(random.pick(LINE_ENDS)) + random.pick(LINE_ENDS);
  },
  'large messages': (draft) => {
    const { random, maxLineBytes } = draft;
    if (maxLineBytes < MIB) return fileOf(draft, rowsOf(draft, 30));
    const lines = linesOf(draft, rowsOf(draft, 5));
    // a control character is six bytes in JSON
    lines.push(stuff(draft, lineOf(draft, rowOf(draft)), random.between(166_500, 166_700), '\x01'));
    lines.push(stuff(draft, lineOf(draft, rowOf(draft)), random.between(999_400, 999_800)));
    return `${lines.join('\n')}\n`;
  },
  'blank lines': (draft) =>
    linesOf(draft, rowsOf(draft, 60))
      .map((line) => draft.random.pick(['', '', '\n', '\r\n', '\n\n\n', ' \n']) + line + draft.random.pick(LINE_ENDS))
      .join(''),
  'a column twice': (draft) => {
    const columns = [...draft.feed.columns];
    columns.push(draft.random.pick(columns));
    return fileOf(draft, rowsOf(draft, 10), { columns });
  },
  'a column of ours': (draft) =>
    fileOf(draft, rowsOf(draft, 10), {
      columns: [...draft.feed.columns, draft.random.pick(['_source_file', '_ingestion_timestamp', '_record_type'])],
    }),
  'more columns': (draft) => {
    const { random, feed } = draft;
    const more = ODD_COLUMNS.filter(() => random.next() < 0.4);
    const rows = rowsOf(draft, 40).map((row) => [...row, ...more.map(() => random.pick([...TEXTS, ...QUOTED_TEXTS]))]);
    return shuffledColumns(draft, [...feed.columns, ...more], rows);
  },
  'hundreds of columns': (draft) => {
    const more = Array.from({ length: draft.random.between(100, 400) }, (_, i) => `extra ${i}`);
    const rows = rowsOf(draft, 6).map((row) => [...row, ...more.map(() => draft.random.pick(TEXTS))]);
    return fileOf(draft, rows, { columns: [...draft.feed.columns, ...more] });
  },
  'columns in another order': (draft) => shuffledColumns(draft, draft.feed.columns, rowsOf(draft, 40)),
  'a column missing': (draft) => {
    const at = draft.random.between(0, draft.feed.columns.length - 1);
    return fileOf(
      draft,
      rowsOf(draft, 10).map((row) => row.toSpliced(at, 1)),
      { columns: draft.feed.columns.toSpliced(at, 1) },
    );
  },
  'a header alone': (draft) => draft.feed.columns.join(',') + draft.random.pick(['', '\n', '\r\n', '\r', '\n\n']),
  'no header': (draft) => linesOf(draft, rowsOf(draft, 20)).slice(1).join('\r\n') + '\r\n',
  'a header of other feeds': (draft) =>
    `${draft.random.pick(['who,what', 'msisdn;tower_id', '{"a":1}', '<csv>'])}\n1,2\n`,
  'the header again': (draft) => damagedLines(draft, 30, 0.1, () => draft.feed.columns.join(',')),
  nothing: ({ random }) => random.pick(['', '\n', '\r\n\r\n', '\ufeff', '\ufeff\n', '\r', ' \n', '\0']),
  rubbish: ({ random }) => Buffer.from(Array.from({ length: random.between(1, 4_000) }, () => random.between(0, 255))),
  'rubbish behind a header': (draft) =>
    Buffer.concat([
      Buffer.from(`${draft.feed.columns.join(',')}\n`),
      Buffer.from(Array.from({ length: draft.random.between(1, 3_000) }, () => draft.random.between(0, 255))),
    ]),
  soup: (draft) => {
    const tokens = ['a', ',', ',', '"', '""', '\n', '\r', '\r\n', '\xc3\xa9', '\xff', '\\', '\0', '\t', 'x'.repeat(30)];
    const { random, feed } = draft;
    const soup = Array.from({ length: random.between(5, 150) }, () => random.pick(tokens)).join('');
    return Buffer.from(`${feed.columns.join(',')}\n${soup}`, 'latin1');
  },
  'gzip bytes': (draft) => gzipSync(fileOf(draft, rowsOf(draft, 40))),
  'UTF-16': (draft) => Buffer.from(`\ufeff${fileOf(draft, rowsOf(draft, 20))}`, 'utf16le'),
  'values at the edge': (draft) =>
    fileOf(
      draft,
      rowsOf(draft, 60).map((row) => (draft.random.next() < 0.5 ? withEdge(draft, row) : row)),
      { quoteAll: 0.1 },
    ),
  'an end without line end': (draft) =>
    fileOf(draft, rowsOf(draft, 30)).replace(/\r?\n$/, draft.random.pick(['', '\r', ',', '"'])),
  'more rejects than rows': (draft) => {
    const { random } = draft;
    const share = random.pick([0.02, 0.04, 0.06, 0.45, 0.5, 0.55, 0.95]);
    const lines = linesOf(
      draft,
      Array.from({ length: random.between(95, 320) }, () => rowOf(draft)),
    );
    return lines.map((line, i) => (i > 0 && random.next() < share ? 'x' : line)).join('\n') + '\n';
  },
};

/** The names of the kinds. */
export const KIND_NAMES: readonly string[] = Object.keys(KINDS);

/** The bytes of a file of this kind; the same for the same random numbers. */
export function makeContent(kind: string, draft: Draft): Buffer {
  const make = KINDS[kind];
  if (!make) throw new Error(`no kind of file is called ${kind}`);
  const content = make(draft);
  return typeof content === 'string' ? Buffer.from(content) : content;
}

/** Values that each column's check lets pass; a column without a check has what `text` gives. */
function rowOf({ random, feed }: Draft, text: () => string = () => 'x'): string[] {
  return feed.columns.map((column) => {
    const check = feed.checks[column];
    if (check === undefined) return text();
    if (check === 'msisdn')
      return `${random.pick(['+', ''])}2782${String(random.between(0, 9_999_999)).padStart(7, '0')}`;
    if (check === 'integer') return String(random.between(0, 99_999));
    if (check === 'date-time') return random.pick(RIGHT_TIMES);
    return random.next() < 0.9 ? random.pick(check.known) : 'hologram';
  });
}

/** With one value that a check may just let pass or just not. */
function withEdge({ random, feed }: Draft, row: readonly string[]): string[] {
  const at = random.between(0, row.length - 1);
  const check = feed.checks[feed.columns[at] ?? ''];
  return row.with(at, random.pick(typeof check === 'string' ? EDGES[check] : ['', 'Video', ' video', 'video\0']));
}

function rowsOf(draft: Draft, most: number, text: () => string = oddTexts(draft, TEXTS)): string[][] {
  return Array.from({ length: draft.random.between(1, most) }, () => rowOf(draft, text));
}

function oddTexts({ random }: Draft, texts: readonly string[]): () => string {
  return () => Array.from({ length: random.between(0, 3) }, () => random.pick(texts)).join('');
}

/** As RFC 4180 has it; with `quoteAll`, that share of fields that need no quotes has them, too. */
function lineOf({ random }: Draft, fields: readonly string[], quoteAll = 0): string {
  return fields
    .map((field) => (/[",\r\n]/.test(field) || random.next() < quoteAll ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',');
}

interface FileLook {
  readonly columns?: readonly string[];
  readonly quoteAll?: number;
}

/** Header and rows, without line ends. */
function linesOf(draft: Draft, rows: readonly (readonly string[])[], look: FileLook = {}): string[] {
  const { columns = draft.feed.columns, quoteAll } = look;
  return [columns, ...rows].map((fields) => lineOf(draft, fields, quoteAll));
}

function fileOf(draft: Draft, rows: readonly (readonly string[])[], look: FileLook = {}): string {
  const end = draft.random.pick(LINE_ENDS);
  return linesOf(draft, rows, look).join(end) + end;
}

function shuffledColumns(draft: Draft, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const order = columns.map((_, i) => ({ i, at: draft.random.next() })).toSorted((a, b) => a.at - b.at);
  const shuffled = (row: readonly string[]): string[] => order.map(({ i }) => row[i] ?? '');
  return fileOf(draft, rows.map(shuffled), { columns: shuffled(columns) });
}

/** Latin-1 in and out, so that bytes that are no UTF-8 can be put in: some of the rows go through `damage`. */
function damagedLines(draft: Draft, most: number, share: number, damage: (line: string) => string): Buffer {
  const lines = linesOf(draft, rowsOf(draft, most)).map((line) => Buffer.from(line).toString('latin1'));
  const end = draft.random.pick(LINE_ENDS);
  const damaged = lines.map((line, i) => (i > 0 && draft.random.next() < share ? damage(line) : line));
  return Buffer.from(damaged.join(end) + end, 'latin1');
}

function insert({ random }: Draft, line: string, text: string): string {
  const at = random.between(0, line.length);
  return line.slice(0, at) + text + line.slice(at);
}

/** So many bytes more, in a column that may have anything. */
function stuff({ feed }: Draft, line: string, bytes: number, byte = 'z'): string {
  const fields = line.split(',');
  const at = feed.columns.findIndex((column) => feed.checks[column] === undefined);
  return fields.with(at, `${fields[at]}${byte.repeat(bytes)}`).join(',');
}
