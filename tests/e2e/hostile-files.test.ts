import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { constants, createGzip, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { FAST, type AppProcess } from '../support/app-process.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();
const HEADER = 'msisdn,tower_id,call_type,dest_nr,call_duration_sec,start_time';
const NAME = 'cdr_voice_20240101_000000.csv';
const GZ = `${NAME}.gz`;

/** Rows that do not compress to nothing, from a number on. */
function rows(from: number, count: number): string {
  const lines: string[] = [];
  for (let n = from; n < from + count; n++) {
    const mixed = Math.imul(n + 1, 0x9e3779b1) >>> 0;
    lines.push(
      `+2782${n.toString().padStart(7, '0')},${mixed % 5_000},voice,+2783${(mixed % 1e7).toString().padStart(7, '0')},${n},2024-01-01 10:15:30.5\r\n`,
    );
  }
  return lines.join('');
}

const file = (from: number, count: number): string => `${HEADER}\r\n${rows(from, count)}`;

function cdr(scenario: Scenario, ...args: string[]): Promise<CliResult> {
  return runCli(args, { ...FAST, ...scenario.world.env, LOG_LEVEL: 'info' });
}

async function failure(scenario: Scenario, name: string): Promise<string> {
  const job = await scenario.untilJob(name, 'to fail', (state) => state === 'failed');
  expect(job.attemptsMade).toBe(1);
  return job.failedReason ?? '';
}

/** What the ledger said of a file, one record after another. */
async function history(scenario: Scenario, name: string): Promise<string[]> {
  return (await java.read(scenario.world.topics.ledger))
    .filter(({ key }) => key === name)
    .map(({ value }) => JSON.parse(value ?? '') as { state: string; rows: number })
    .map(({ state, rows: count }) => `${state} ${count}`);
}

describe('compressed files', () => {
  test('are ingested exactly: one member or several, in one transaction or several, beside plain ones', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '400' });
    const { files } = scenario.world;
    const plain = scenario.upload(2, 300);
    const parts = [file(0, 500), rows(500, 1), rows(501, 600)];
    const contents = [
      { name: GZ, content: file(0, 1_000), packed: gzipSync(file(0, 1_000)) },
      { name: 'cdr_voice_20240101_010000.csv.gz', content: parts.join(''), packed: membersOf(parts) },
      // cut within a line, as tools do that compress block by block
      {
        name: 'cdr_voice_20240101_020000.csv.gz',
        content: file(0, 50),
        packed: membersOf([file(0, 50).slice(0, 777), '', file(0, 50).slice(777)]),
      },
      { name: 'cdr_voice_20240101_030000.csv.gz', content: '', packed: gzipSync('') },
      {
        name: 'cdr_voice_20240101_040000.csv.gz',
        content: file(0, 3).trimEnd(),
        packed: gzipSync(file(0, 3).trimEnd(), { level: constants.Z_NO_COMPRESSION }),
      },
    ];
    for (const { name, packed } of contents) files.write(name, packed);
    const scanner = scenario.scanner();
    const worker = scenario.worker();
    const all = [...plain, ...contents];
    await scenario.untilCommitted(all.map(({ name }) => name));
    await scenario.expectExactly(all);
    expect(await history(scenario, GZ)).toEqual(['partial 400', 'partial 800', 'committed 1000']);
    // the size is the file's, offset and hash are those of what it was made of
    expect((await scenario.ledger()).get(GZ)).toMatchObject({
      size: contents[0]?.packed.length,
      byteOffset: contents[0]?.content.length,
    });
    await scanner.untilScans(2);
    expect(await worker.metric('cdr_worker_files_total')).toBe(all.length);
    const audit = await cdr(scenario, 'audit', '--json');
    expect(JSON.parse(audit.stdout)).toMatchObject({ audited: all.length, exact: all.length, differs: 0 });
  });

  test('a worker killed between two transactions of one: the next goes on in the middle of what it was made of', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '400' });
    const content = file(0, 1_500);
    scenario.world.files.write(GZ, gzipSync(content));
    scenario.scanner();
    const killed = scenario.faultyWorker('committed:kill:2');
    expect(await killed.ended()).toBe('SIGKILL');
    scenario.worker();
    await scenario.untilCommitted([GZ]);
    await scenario.expectExactly([{ name: GZ, content }]);
    expect(await history(scenario, GZ)).toEqual(['partial 400', 'partial 800', 'partial 1200', 'committed 1500']);
  });

  test('one that is cut off waits, is not read over and over, and goes in whole when the upload goes on', async () => {
    const scenario = new Scenario(java, { INCOMPLETE_AFTER_MS: '60000', TRANSACTION_MAX_RECORDS: '400' });
    const content = file(0, 1_000);
    const packed = gzipSync(content);
    scenario.world.files.write(GZ, packed.subarray(0, packed.length - 10));
    const scanner = scenario.scanner();
    const worker = scenario.worker();
    await worker.untilMessage(/is not ready: its gzip data have no end/);
    const readOnce = await worker.metric('cdr_worker_read_bytes_total');
    await pollUntil('three looks at it', async () => (await worker.metric('cdr_worker_files_total')) >= 3, {
      deadlineMs: 20_000,
    });
    expect(await worker.metric('cdr_worker_read_bytes_total')).toBe(readOnce);
    await scanner.untilScans(1);
    scenario.world.files.append(GZ, packed.subarray(packed.length - 10));
    await scenario.untilCommitted([GZ]);
    await scenario.expectExactly([{ name: GZ, content }]);
    expect((await scenario.untilCompleted(GZ)).attemptsMade).toBe(1);
  });

  test('bad ones fail with what is wrong, once, and nothing of them is visible; a new upload is taken', async () => {
    const scenario = new Scenario(java, { GZIP_MAX_RATIO: '50' });
    const { files, topics } = scenario.world;
    const good = gzipSync(file(0, 500));
    const damaged = Buffer.from(good);
    damaged.writeUInt8(damaged.readUInt8(good.length - 5) ^ 1, good.length - 5);
    const cases: [code: string, packed: Buffer, says: RegExp][] = [
      [
        'gzip-truncated',
        good.subarray(0, -1),
        /the gzip data have no end.*: unexpected end of file\. Look at .*upload it again/,
      ],
      ['gzip-truncated', Buffer.alloc(0), /the gzip data have no end/],
      ['bad-gzip', damaged, /no sound gzip data.*: incorrect data check/],
      ['bad-gzip', Buffer.from(file(0, 10)), /no sound gzip data: incorrect header check/],
      ['bad-gzip', Buffer.concat([good, Buffer.alloc(512)]), /bytes behind the end/],
      ['bad-gzip', Buffer.concat([good, Buffer.from(file(0, 1))]), /no sound gzip data.*: incorrect header check/],
      ['gzip-too-large', gzipSync(Buffer.concat([Buffer.from(file(0, 10)), Buffer.alloc(80_000_000)])), /50 times/],
      ['bad-header', gzipSync(gzipSync(file(0, 10))), /This is gzip data\. .* compressed once/],
    ];
    const name = (i: number): string => `cdr_voice_20240101_0${i}0000.csv.gz`;
    cases.forEach(([, packed], i) => files.write(name(i), packed, { mtimeMs: 1_700_000_000_000 }));
    // what it is without .gz: a CSV with a strange header
    files.write(NAME, good);
    const scanner = scenario.scanner();
    const worker = scenario.worker();
    for (const [i, [code, , says]] of cases.entries()) {
      const reason = await failure(scenario, name(i));
      expect(reason).toMatch(new RegExp(`^${code}: `));
      expect(reason).toMatch(says);
    }
    expect(await failure(scenario, NAME)).toMatch(/^bad-header: .*This is gzip data\. .*\.csv\.gz/s);
    // only what may still be an upload has waited
    const waited = worker.lines.filter(({ msg }) => /is not ready/.test(msg ?? '')).map(({ msg }) => msg?.slice(0, 33));
    expect([...new Set(waited)].sort()).toEqual([NAME.padEnd(33, ' is'), `${name(0)} `, `${name(1)} `]);
    await scanner.untilMessage(/9 failed/);
    expect(await java.count([topics.voice, topics.rejects])).toBe(0);

    files.write(name(0), good, { atomic: true });
    await scenario.untilCommitted([name(0)]);
    await scenario.expectExactly([{ name: name(0), content: file(0, 500) }]);
  });

  test('after the commit: an appended member is continued, another compression is the old content, other content is not', async () => {
    const scenario = new Scenario(java);
    const { files } = scenario.world;
    const [grown, repacked, changed, shorter] = [0, 1, 2, 3].map((i) => `cdr_voice_20240101_0${i}0000.csv.gz`) as [
      string,
      string,
      string,
      string,
    ];
    const content = file(0, 300);
    for (const name of [grown, repacked, changed, shorter]) files.write(name, gzipSync(content));
    const scanner = scenario.scanner();
    const worker = scenario.worker();
    await scenario.untilCommitted([grown, repacked, changed, shorter]);

    files.append(grown, gzipSync(rows(300, 200)));
    const looser = gzipSync(content, { level: 1 });
    files.write(repacked, looser, { atomic: true });
    files.write(changed, gzipSync(file(1_000, 400)), { atomic: true });
    files.write(shorter, gzipSync(file(0, 200), { level: 0 }), { atomic: true });
    await pollUntil('the rest', async () => (await scenario.known(grown))?.rows === 500);
    for (const name of [changed, shorter])
      await worker.untilMessage(new RegExp(`^${name} changed after it was ingested`));
    await worker.untilMessage(new RegExp(`^${repacked} has a new time but the same content`));
    await scanner.untilMessage(/4 CDR files: 0 enqueued, 0 in the queue, 2 ingested, .* 2 changed/);
    await scenario.expectExactly([
      { name: grown, content: content + rows(300, 200) },
      ...[repacked, changed, shorter].map((name) => ({ name, content })),
    ]);
    expect(await scenario.known(grown)).toMatchObject({ generation: 1, byteOffset: (content + rows(300, 200)).length });
    expect(await scenario.known(repacked)).toMatchObject({ size: looser.length, byteOffset: content.length });
    expect((await scenario.known(shorter))?.changed).toMatchObject({ size: expect.any(Number) as number });
  });
});

/** Holds a worker when it has read a file and not yet looked whether that is still the same. */
async function readAndHeld(scenario: Scenario, name: string): Promise<AppProcess> {
  scenario.scanner();
  const worker = scenario.faultyWorker('streamed:freeze', { WORKER_CONCURRENCY: '1' });
  await worker.untilFault();
  // it says so before it is: a SIGCONT in between would be lost
  await pollUntil('the worker to be stopped', () =>
    /^State:\s+T/m.test(readFileSync(`/proc/${worker.pid}/status`, 'utf8')),
  );
  expect(await scenario.known(name)).toBeUndefined();
  return worker;
}

describe.each([
  ['a plain file', NAME, (content: string) => Buffer.from(content)],
  ['a compressed file', GZ, (content: string) => gzipSync(content, { level: 1 })],
])('%s, while it is read', (_, name, pack) => {
  const before = file(0, 35_000);
  const after = file(100_000, 500);

  test('overwritten in its place: put back, and ingested as what it is then', async () => {
    const scenario = new Scenario(java);
    scenario.world.files.write(name, pack(before), { mtimeMs: 1_700_000_000_000 });
    const worker = await readAndHeld(scenario, name);
    scenario.world.files.write(name, pack(after));
    worker.signal('SIGCONT');
    await worker.untilMessage(/is not ready: .*(became shorter|changed)/);
    await scenario.untilCommitted([name]);
    await scenario.expectExactly([{ name, content: after }]);
    expect((await scenario.untilCompleted(name)).attemptsMade).toBe(1);
  });

  test('replaced by another one of its name: ingested as it was, and the other one is reported', async () => {
    const scenario = new Scenario(java);
    scenario.world.files.write(name, pack(before), { mtimeMs: 1_700_000_000_000 });
    const worker = await readAndHeld(scenario, name);
    scenario.world.files.write(name, pack(after), { atomic: true });
    worker.signal('SIGCONT');
    await scenario.untilCommitted([name]);
    await worker.untilMessage(/changed after it was ingested: nothing of it was written/);
    await scenario.expectExactly([{ name, content: before }]);
  });
});

describe('a plain file, while it is read', () => {
  test('cut off: put back, and ingested as what is left', async () => {
    const scenario = new Scenario(java);
    // more than is read ahead: what is cut off has not been asked for
    scenario.world.files.write(NAME, file(0, 60_000), { mtimeMs: 1_700_000_000_000 });
    const worker = await readAndHeld(scenario, NAME);
    truncateSync(scenario.world.files.path(NAME), file(0, 100).length);
    worker.signal('SIGCONT');
    await worker.untilMessage(/is not ready: .*it became shorter/);
    await scenario.untilCommitted([NAME]);
    await scenario.expectExactly([{ name: NAME, content: file(0, 100) }]);
  });

  test('deleted: ingested as it was', async () => {
    const scenario = new Scenario(java);
    const content = file(0, 35_000);
    scenario.world.files.write(NAME, content);
    const worker = await readAndHeld(scenario, NAME);
    scenario.world.files.remove(NAME);
    worker.signal('SIGCONT');
    await scenario.untilCommitted([NAME]);
    await scenario.expectExactly([{ name: NAME, content }]);
  });
});

test('a directory, a link and a pipe that are named like CDR files are left alone; a file without permission fails and can be retried', async () => {
  const scenario = new Scenario(java);
  const { files } = scenario.world;
  const [directory, link, device, pipe, closed, good] = [0, 1, 2, 3, 4, 5].map(
    (i) => `cdr_voice_20240101_0${i}0000.csv`,
  ) as [string, string, string, string, string, string];
  files.write('elsewhere.txt', file(0, 10));
  files.write(good, file(0, 20));
  files.write(closed, file(0, 30));
  files.makeDirectory(directory);
  files.write(`${directory}/${good}`, file(0, 10));
  symlinkSync('elsewhere.txt', files.path(link));
  symlinkSync('/dev/zero', files.path(device));
  execFileSync('mkfifo', [files.path(pipe)]);
  chmodSync(files.path(closed), 0);

  const scanner = scenario.scanner();
  scenario.worker();
  await scenario.untilCommitted([good]);
  expect(await failure(scenario, closed)).toMatch(/^sftp-permission: .*denies permission.*\. Give the SFTP user/);
  await scanner.untilMessage(/^Found 2 CDR files: .* 1 ingested, .* 1 failed, .* 1 of no feed/);
  for (const name of [directory, link, device, pipe]) expect(await scenario.job(name)).toBeUndefined();
  const { stdout } = await cdr(scenario, 'scan', '--dry-run', '--no-wait');
  for (const name of [directory, link, device, pipe])
    expect(stdout).toMatch(new RegExp(`^${name} +ignore +no regular file`, 'm'));

  chmodSync(files.path(closed), 0o644);
  expect(await cdr(scenario, 'retry', closed)).toMatchObject({ code: 0 });
  await scenario.untilCommitted([closed]);
  await scenario.expectExactly([
    { name: good, content: file(0, 20) },
    { name: closed, content: file(0, 30) },
  ]);
});

test('the same content under other names is ingested, counted and shown, also when Redis has forgotten', async () => {
  const scenario = new Scenario(java);
  const { files } = scenario.world;
  const content = file(0, 50);
  const copies = ['cdr_voice_20240101_010000.csv', 'cdr_voice_20240101_020000.csv.gz'] as const;
  const empty = ['cdr_voice_20240101_030000.csv', 'cdr_voice_20240101_040000.csv'];
  files.write(NAME, content);
  for (const name of empty) files.write(name, `${HEADER}\r\n`);
  const scanner = scenario.scanner();
  const worker = scenario.worker();
  await scenario.untilCommitted([NAME, ...empty]);
  expect(await worker.metric('cdr_worker_same_content_files_total')).toBe(0);

  files.write(copies[0], content, { atomic: true });
  await worker.untilMessage(new RegExp(`^${copies[0]} has the content that was ingested as ${NAME}: `));
  // what the dashboard shows of its job
  expect((await scenario.untilCompleted(copies[0])).returnvalue).toMatchObject({ sameContentAs: NAME });
  await scenario.flushRedis();
  await scanner.untilMessage(/^projection rebuilt/);
  await scanner.untilScans(1);
  files.write(copies[1], gzipSync(content), { atomic: true });
  const line = await worker.untilMessage(new RegExp(`^${copies[1]} has the content that was ingested as `));
  expect([NAME, copies[0]]).toContain(line['sameContentAs']);
  expect(await worker.metric('cdr_worker_same_content_files_total')).toBe(2);
  await scenario.expectExactly([NAME, ...copies].map((name) => ({ name, content })));

  const status = await cdr(scenario, 'status', '--json');
  expect(JSON.parse(status.stdout)).toMatchObject({ ledger: { sameContent: 2 } });
  const shown = await cdr(scenario, 'status');
  expect(shown.stdout).toMatch(/^ingested with the content of another file/m);
});

/** More of it, to see that 10 GB need no more memory: `HUGE_FILE_BYTES=10000000000 npx pnpm test hostile-files -t memory`. */
const HUGE_BYTES = Number(process.env['HUGE_FILE_BYTES'] ?? 300_000_000);

test(
  'memory stays as it is, whatever the size: a sparse file and a compressed one, nearly all of them one line',
  async () => {
    const scenario = new Scenario(java, { GZIP_MAX_RATIO: '2000', WORKER_CONCURRENCY: '1' });
    const { files } = scenario.world;
    const bytes = HUGE_BYTES;
    files.write(NAME, file(0, 10), { mtimeMs: 1_700_000_000_000 });
    files.write(GZ, await gzipOf(hugeLine(bytes)));
    const sparse = openSync(files.path(NAME), 'r+');
    ftruncateSync(sparse, bytes);
    writeSync(sparse, '\n', bytes - 1);
    closeSync(sparse);

    const worker = scenario.worker();
    await worker.untilMessage(/^worker ready/);
    scenario.scanner();
    await scenario.untilCommitted([NAME, GZ], { deadlineMs: 60_000 + bytes / 10_000 });
    for (const record of (await scenario.ledger()).values())
      expect(record).toMatchObject({ rows: 11, messages: 10, rejects: 1 });
    expect((await scenario.known(GZ))?.byteOffset).toBeGreaterThan(bytes);
    const [, peakKb] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${worker.pid}/status`, 'utf8')) ?? [];
    const peakMiB = Math.round(Number(peakKb) / 1024);
    if (process.env['HUGE_FILE_BYTES']) console.info(`two files of ${bytes} bytes: the worker took ${peakMiB} MiB`);
    // what a worker takes on a busy machine; the files would be beyond it
    expect(peakMiB).toBeLessThan(320);
  },
  120_000 + HUGE_BYTES / 5_000,
);

function* hugeLine(bytes: number): Generator<Buffer> {
  const piece = Buffer.alloc(1_000_000);
  yield Buffer.from(file(0, 10));
  for (let i = 0; i < bytes / piece.length; i++) yield piece;
  yield Buffer.from('\n');
}

function membersOf(parts: readonly string[]): Buffer {
  return Buffer.concat(parts.map((part) => gzipSync(part)));
}

/** Compressed piece by piece: the whole would be large. */
async function gzipOf(pieces: Iterable<Buffer>): Promise<Buffer> {
  const gzip = createGzip({ level: 1 });
  const packed: Buffer[] = [];
  gzip.on('data', (chunk: Buffer) => packed.push(chunk));
  const ended = new Promise((resolve) => gzip.once('end', resolve));
  for (const piece of pieces) await new Promise((resolve) => gzip.write(piece, resolve));
  gzip.end();
  await ended;
  return Buffer.concat(packed);
}
