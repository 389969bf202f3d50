import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { expect, onTestFinished, test } from 'vitest';
import { FAST } from '../support/app-process.ts';
import { runCli } from '../support/cli.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();
const COLUMNS = ['msisdn', 'tower_id', 'call_type', 'dest_nr', 'call_duration_sec', 'start_time'];
const HEADER = COLUMNS.join(',');
const NUMBER = '+27825550001';
const ROW = `${NUMBER},1,voice,*100#,5,2024-01-01 10:15:30`;
const MIB = 1024 * 1024;

/** A file of one feed, and what must become of it: `refused` with how the reason goes on, or messages and rejects. */
interface OddFile {
  readonly content: string | Buffer;
  readonly refused?: string;
  /** What the column dest_nr of each message has, in any order. */
  readonly messages?: readonly string[];
  /** `LINE CODE` */
  readonly rejects?: readonly string[];
}

const row = (destination: string): string => ROW.replace('*100#', destination);
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const bytes = Buffer.from(Array.from({ length: 3_000 }, (_, i) => (i * 7_919 + (i >> 3)) % 256));

const FILES: Readonly<Record<string, OddFile>> = {
  'short and long rows': {
    content: `${HEADER}\n${ROW}\n${NUMBER}\n${ROW},more\n`,
    messages: ['*100#'],
    rejects: ['3 too-few-fields', '4 too-many-fields'],
  },
  'a bare quote': { content: `${HEADER}\n${row('1"2')}\n${ROW}\n`, messages: ['*100#'], rejects: ['2 bad-quote'] },
  'an unclosed quote': {
    content: `${HEADER}\n${row('"112')}\n${row('113')}\n${row('114')}\n`,
    messages: ['113', '114'],
    rejects: ['2 bad-quote'],
  },
  'embedded newlines': {
    content: `${HEADER}\n${row('"a\nb\r\nc"')}\n${ROW}\nx\n`,
    messages: ['*100#', 'a\nb\r\nc'],
    rejects: ['6 too-few-fields'],
  },
  'NUL bytes': {
    content: `${HEADER}\n${row('1\x002')}\n${ROW.replace('5', '\x005')}\n`,
    messages: ['1\x002'],
    rejects: ['3 bad-msisdn'],
  },
  'invalid UTF-8': {
    content: latin1(`${HEADER}\n${row('\xff')}\n${row('\xed\xa0\x80')}\n${row('\xc3\xa9')}\n`),
    messages: ['é'],
    rejects: ['2 bad-utf8', '3 bad-utf8'],
  },
  'a byte order mark': {
    content: `\ufeff${HEADER}\n${ROW}\n\ufeff${ROW}\n`,
    messages: ['*100#'],
    rejects: ['3 bad-msisdn'],
  },
  'CR, LF and CRLF mixed': {
    content: `${HEADER}\r\n${row('1')}\n${row('2')}\r\n${row('3\r4')}\r\n${row('5')}\r\r\n`,
    messages: ['1', '2', '3\r4'],
    rejects: ['5 bad-time'],
  },
  'lines at MAX_LINE_BYTES': {
    content: `${HEADER}\n${row('z'.repeat(999_000 - ROW.length))}\n${row('z'.repeat(MIB + 6 - ROW.length))}\n${ROW}\n`,
    messages: ['*100#', 'z'.repeat(999_000 - ROW.length)],
    rejects: ['3 line-too-long'],
  },
  'a message that no broker takes': {
    content: `${HEADER}\n${row('\x01'.repeat(200_000))}\n${ROW}\n`,
    messages: ['*100#'],
    rejects: ['2 line-too-long'],
  },
  'blank lines': {
    content: `\n\r\n${HEADER}\n\n${ROW}\n\r\n\nx\n`,
    messages: ['*100#'],
    rejects: ['8 too-few-fields'],
  },
  'a header column twice': { content: `${HEADER},dest_nr\n${ROW},1\n`, refused: 'names a column twice (column 7)' },
  'extra columns': {
    content: `__proto__,${HEADER},"a ""b"""\n1,${ROW},2\n`,
    messages: ['*100#'],
  },
  'reordered columns': {
    content: `${COLUMNS.toReversed().join(',')}\n${ROW.split(',').toReversed().join(',')}\n`,
    messages: ['*100#'],
  },
  'a column missing': { content: `${COLUMNS.slice(1).join(',')}\n${ROW}\n`, refused: 'lacks msisdn' },
  'a column of ours': { content: `${HEADER},_source_file\n${ROW},x\n`, refused: 'has a column _source_file' },
  'a header only': { content: `${HEADER}\n`, messages: [] },
  'a header only, without line end': { content: HEADER, messages: [] },
  'no header': { content: `${ROW}\n${ROW}\n`, refused: 'lacks msisdn, tower_id' },
  'binary rubbish': { content: bytes, refused: 'is not UTF-8' },
  'binary rubbish behind a header': {
    content: Buffer.concat([Buffer.from(`${HEADER}\n`), latin1('\0\xff,"\n\x80\x81\n'), Buffer.from(`${ROW}\n`)]),
    messages: ['*100#'],
    rejects: ['2 bad-quote', '3 bad-utf8'],
  },
  'gzip bytes': { content: gzipSync(`${HEADER}\n${ROW}\n`), refused: 'is not UTF-8 but looks like gzip' },
  'UTF-16': {
    content: Buffer.from(`\ufeff${HEADER}\n${ROW}\n`, 'utf16le'),
    refused: 'is not UTF-8 but looks like UTF-16',
  },
  'zero bytes': { content: '', messages: [] },
  'an integer that is none': {
    content: `${HEADER}\n${ROW.replace(',5,', ',5.0,')}\n${ROW.replace(',1,', ',,')}\n${ROW}\n`,
    messages: ['*100#'],
    rejects: ['2 bad-integer', '3 bad-integer'],
  },
  'a time that is none': {
    content: `${HEADER}\n${ROW.replace('01-01 10', '02-30 10')}\n${ROW}\n`,
    messages: ['*100#'],
    rejects: ['2 bad-time'],
  },
  'a subscriber number that is none': {
    content: `${HEADER}\n${ROW.replace('+', '00 ')}\n${ROW}\n`,
    messages: ['*100#'],
    rejects: ['2 bad-msisdn'],
  },
  'a value that nobody knows': { content: `${HEADER}\n${ROW.replace('voice', 'hologram')}\n`, messages: ['*100#'] },
};

test('each oddity ends as messages, as rejects with their lines, or as a refused file with the reason', async () => {
  const scenario = new Scenario(java);
  const nameOf = (oddity: string): string => `cdr_voice_${oddity}.csv`;
  for (const [oddity, { content }] of Object.entries(FILES)) scenario.world.files.write(nameOf(oddity), content);
  scenario.scanner();
  const worker = scenario.worker();

  const refused = Object.entries(FILES).flatMap(([oddity, { refused }]) =>
    refused === undefined ? [] : [{ oddity, refused }],
  );
  const ingested = Object.keys(FILES).filter((oddity) => FILES[oddity]?.refused === undefined);
  await scenario.untilCommitted(ingested.map(nameOf));
  for (const { oddity, refused: reason } of refused) {
    const job = await scenario.untilJob(nameOf(oddity), 'to fail', (state) => state === 'failed');
    expect(job.failedReason).toContain(`bad-header: The CSV header of ${nameOf(oddity)} ${reason}`);
    expect(job.failedReason, 'what to do').toContain('Upload the file again');
    expect(job.failedReason).not.toContain('2782555');
    expect(job.attemptsMade).toBe(1);
  }

  const messages = (await java.read(scenario.world.topics.voice)).map(
    ({ value }) => JSON.parse(value ?? '') as Record<string, string>,
  );
  const rejects = (await java.read(scenario.world.topics.rejects)).map(({ key, value }) => ({
    file: key,
    ...(JSON.parse(value ?? '') as { line: number; code: string }),
  }));
  const ledger = await scenario.ledger();
  const found = Object.fromEntries(
    Object.keys(FILES).map((oddity) => {
      const name = nameOf(oddity);
      const { state, rows } = ledger.get(name) ?? {};
      return [
        oddity,
        {
          messages: messages
            .filter(({ _source_file }) => _source_file === name)
            .map(({ dest_nr }) => dest_nr)
            .sort(),
          rejects: rejects
            .filter(({ file }) => file === name)
            .map(({ line, code }) => `${line} ${code}`)
            .sort(),
          state,
          rows,
        },
      ];
    }),
  );
  const expected = Object.entries(FILES).map(([oddity, file]) => {
    const [sent, rejected] = [[...(file.messages ?? [])].sort(), [...(file.rejects ?? [])].sort()];
    const isIngested = file.refused === undefined;
    return [
      oddity,
      {
        messages: sent,
        rejects: rejected,
        state: isIngested ? 'committed' : undefined,
        rows: isIngested ? sent.length + rejected.length : undefined,
      },
    ];
  });
  expect(found).toEqual(Object.fromEntries(expected));

  const extra = messages.find(({ _source_file }) => _source_file === nameOf('extra columns')) ?? {};
  expect(Object.entries(extra)).toEqual(
    expect.arrayContaining([
      ['__proto__', '1'],
      ['a "b"', '2'],
      ['msisdn', NUMBER],
    ]),
  );
  const reordered = messages.find(({ _source_file }) => _source_file === nameOf('reordered columns'));
  expect(COLUMNS.map((column) => reordered?.[column]).join(',')).toBe(ROW);
  await pollUntil('the unknown value', async () => (await worker.metric('cdr_worker_unknown_values_total')) === 1);
  expect(worker.other).toEqual([]);
});

test('exported rejects, corrected, go in under a new name', async () => {
  const scenario = new Scenario(java);
  const bad = `${HEADER}\r\n${ROW}\r\n${ROW.replace(',5,', ',five,')}\r\n${row('1"2')}\r\n${ROW},more\r\n`;
  scenario.world.files.write('cdr_voice_1.csv', bad);
  scenario.scanner();
  scenario.worker();
  await scenario.untilCommitted(['cdr_voice_1.csv']);

  const directory = mkdtempSync(path.join(tmpdir(), 'cdr-rejects-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const csv = path.join(directory, 'rejects.csv');
  const { code, stderr } = await runCli(['rejects', 'cdr_voice_1.csv', '--export', csv], {
    ...FAST,
    ...scenario.world.env,
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const exported: Record<string, string>[] = parse(readFileSync(csv), { columns: true });
  expect(exported.map(({ line, code: why }) => `${line} ${why}`)).toEqual([
    '3 bad-integer',
    '4 bad-quote',
    '5 too-many-fields',
  ]);

  const corrected = exported.map(({ raw = '' }) =>
    raw.replace(',five,', ',5,').replace('1"2', '112').replace(',more', ''),
  );
  const content = [HEADER, ...corrected, ''].join('\r\n');
  scenario.world.files.write('cdr_voice_1_corrected.csv', content);
  await scenario.untilCommitted(['cdr_voice_1_corrected.csv']);
  const records = await scenario.ledger();
  expect(records.get('cdr_voice_1_corrected.csv')).toMatchObject({ rows: 3, messages: 3, rejects: 0 });
  expect(records.get('cdr_voice_1.csv')).toMatchObject({ rows: 4, messages: 1, rejects: 3 });
  expect(await java.count(scenario.world.topics.voice)).toBe(4);
});
