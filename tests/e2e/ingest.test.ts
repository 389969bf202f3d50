import { describe, expect, test } from 'vitest';
import { runCli } from '../support/cli.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();
const HEADER = 'msisdn,tower_id,call_type,dest_nr,call_duration_sec,start_time';
const row = (n: number): string =>
  `+2782${n.toString().padStart(7, '0')},1,voice,+27829876543,${n},2024-01-01 10:15:30.5`;
const rows = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `${row(from + i)}\r\n`).join('');

describe('files to topics', () => {
  test('both feeds, each row once, in JSON of the agreed shape', async () => {
    const scenario = new Scenario(java);
    const files = scenario.upload(10, 500);
    scenario.scanner();
    const worker = scenario.worker();
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.expectExactly(files);

    const [message] = await java.read(scenario.world.topics.data);
    expect(Object.keys(JSON.parse(message?.value ?? '') as object).sort()).toEqual(
      [
        ...['msisdn', 'tower_id', 'up_bytes', 'down_bytes', 'data_type', 'ip_address', 'website_url', 'event_datetime'],
        ...['_source_file', '_ingestion_timestamp', '_record_type'],
      ].sort(),
    );
    await worker.untilMessage(/^Completed cdr_data_20240101_000000\.csv: 500 records sent to /);
    expect(await java.count(scenario.world.topics.rejects)).toBe(0);
  });

  test('two scanners and two workers at once', async () => {
    const scenario = new Scenario(java);
    const files = scenario.upload(20, 200);
    const scanners = [scenario.scanner(), scenario.scanner()];
    scenario.worker();
    scenario.worker();
    await Promise.all(
      scanners.map((scanner) =>
        scanner.untilLine('a listing', ({ msg }) => /^(Found 20|another scanner)/.test(msg ?? '')),
      ),
    );
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.expectExactly(files);
  });

  test('a transaction is cut by its number of rows, and the pieces add up', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '300' });
    const files = scenario.upload(2, 1000);
    scenario.scanner();
    scenario.worker();
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.expectExactly(files);
    const states = (await java.read(scenario.world.topics.ledger))
      .filter(({ key }) => key === files[0]?.name)
      .map(({ value }) => JSON.parse(value ?? '') as { state: string; rows: number });
    expect(states.map(({ state, rows: count }) => `${state} ${count}`)).toEqual([
      'partial 300',
      'partial 600',
      'partial 900',
      'committed 1000',
    ]);
  });
});

describe('files that are not ready, or not the same any more', () => {
  test('one that grows during the scans is taken when it has settled', async () => {
    const scenario = new Scenario(java, { STABLE_FOR_MS: '1500' });
    const name = 'cdr_voice_20240101_000000.csv';
    const { files } = scenario.world;
    files.write(name, `${HEADER}\r\n`);
    const scanner = scenario.scanner();
    scenario.worker();
    await scanner.untilMessage(/^Found 1 CDR files: 0 enqueued, 0 in the queue, 0 ingested, 1 settling/);
    let content = `${HEADER}\r\n`;
    for (let i = 0; i < 5; i++) {
      files.append(name, rows(i * 10, 10));
      content += rows(i * 10, 10);
      await scanner.untilScans(3);
    }
    await pollUntil('all of it', async () => (await scenario.known(name))?.rows === 50, { deadlineMs: 60_000 });
    await scenario.expectExactly([{ name, content }]);
  });

  test('an upload that stalls in mid-line is held, and goes in whole when it goes on', async () => {
    const scenario = new Scenario(java, { INCOMPLETE_AFTER_MS: '60000' });
    const name = 'cdr_voice_20240101_000000.csv';
    const whole = `${HEADER}\r\n${rows(0, 100)}`;
    const cut = whole.length - 30;
    scenario.world.files.write(name, whole.slice(0, cut));
    scenario.scanner();
    const worker = scenario.worker();
    await worker.untilMessage(/is not ready: its last line has no end/);
    expect(await scenario.known(name)).toBeUndefined();
    scenario.world.files.append(name, whole.slice(cut));
    await scenario.untilCommitted([name]);
    await scenario.expectExactly([{ name, content: whole }]);
    const job = await scenario.untilJob(name, 'to be completed', (state) => state === 'completed');
    expect(job.attemptsMade).toBe(1);
  });

  test('an unterminated last line is a row after INCOMPLETE_AFTER_MS', async () => {
    const scenario = new Scenario(java);
    const name = 'cdr_voice_20240101_000000.csv';
    const content = `${HEADER}\n${row(1)}\n${row(2)}`;
    scenario.world.files.write(name, content);
    scenario.scanner();
    const worker = scenario.worker();
    await worker.untilMessage(/its last line has no end/);
    await scenario.untilCommitted([name]);
    await scenario.expectExactly([{ name, content }]);
  });

  test('an upload that stalls between lines is continued where it stopped', async () => {
    const scenario = new Scenario(java);
    const name = 'cdr_voice_20240101_000000.csv';
    const first = `${HEADER}\r\n${rows(0, 100)}`;
    scenario.world.files.write(name, first);
    scenario.scanner();
    scenario.worker();
    await scenario.untilCommitted([name]);
    await scenario.expectExactly([{ name, content: first }]);
    scenario.world.files.append(name, rows(100, 150));
    const content = first + rows(100, 150);
    await pollUntil('the rest', async () => (await scenario.known(name))?.rows === 250);
    await scenario.expectExactly([{ name, content }]);
    expect((await scenario.ledger()).get(name)).toMatchObject({ generation: 1, byteOffset: content.length });
  });

  test('a touched file is not ingested again', async () => {
    const scenario = new Scenario(java);
    const [file] = scenario.upload(1, 100);
    if (!file) throw new Error('no file');
    scenario.scanner();
    const worker = scenario.worker();
    await scenario.untilCommitted([file.name]);
    const mtimeMs = 1_700_000_000_000;
    scenario.world.files.setMtime(file.name, mtimeMs);
    await worker.untilMessage(/has a new time but the same content/);
    await pollUntil('the new time', async () => (await scenario.known(file.name))?.mtimeMs === mtimeMs);
    await scenario.expectExactly([file]);
  });

  test('a file with other content under its name is reported, and nothing of it is written', async () => {
    const scenario = new Scenario(java);
    const name = 'cdr_voice_20240101_000000.csv';
    const content = `${HEADER}\r\n${rows(0, 100)}`;
    scenario.world.files.write(name, content);
    const scanner = scenario.scanner();
    const worker = scenario.worker();
    await scenario.untilCommitted([name]);
    scenario.world.files.write(name, `${HEADER}\r\n${rows(500, 120)}`, { atomic: true });
    await worker.untilMessage(/changed after it was ingested: nothing of it was written/);
    await scanner.untilMessage(/1 changed, 0 of no feed/);
    await scenario.expectExactly([{ name, content }]);
    expect((await scenario.ledger()).get(name)?.changed).toMatchObject({
      size: HEADER.length + 2 + 120 * row(500).length + 240,
    });
  });

  test('CHANGED_FILES=reingest takes it as the next generation', async () => {
    const scenario = new Scenario(java, { CHANGED_FILES: 'reingest' });
    const name = 'cdr_voice_20240101_000000.csv';
    scenario.world.files.write(name, `${HEADER}\r\n${rows(0, 100)}`);
    scenario.scanner();
    scenario.worker();
    await scenario.untilCommitted([name]);
    scenario.world.files.write(name, `${HEADER}\r\n${rows(500, 120)}`, { atomic: true });
    await pollUntil('generation 2', async () => (await scenario.known(name))?.generation === 2);
    expect((await scenario.ledger()).get(name)).toMatchObject({ state: 'committed', generation: 2, rows: 120 });
    expect(await java.count(scenario.world.topics.voice)).toBe(220);
  });

  test('an empty file waits, a header alone does not; both are committed with no rows', async () => {
    const scenario = new Scenario(java);
    scenario.world.files.write('cdr_voice_20240101_000000.csv', '');
    scenario.world.files.write('cdr_voice_20240101_010000.csv', `${HEADER}\r\n`);
    scenario.scanner();
    const worker = scenario.worker();
    await worker.untilMessage(/cdr_voice_20240101_000000\.csv is not ready: it is empty/);
    await scenario.untilCommitted(['cdr_voice_20240101_000000.csv', 'cdr_voice_20240101_010000.csv']);
    expect(worker.lines.some(({ msg }) => msg?.startsWith('cdr_voice_20240101_010000.csv is not ready'))).toBe(false);
    // said once, however often it was looked at
    const { stdout } = await runCli(['show', 'cdr_voice_20240101_000000.csv', '--json'], scenario.env);
    const { job } = JSON.parse(stdout) as { job: { log: string[] } };
    expect(job.log).toEqual([expect.stringMatching(/not ready: it is empty$/)]);
    for (const record of (await scenario.ledger()).values()) expect(record).toMatchObject({ rows: 0, messages: 0 });
    expect(await java.count(scenario.world.topics.voice)).toBe(0);
  });
});

describe('bad input', () => {
  test('bad rows are rejects with their line numbers', async () => {
    const scenario = new Scenario(java, { MAX_LINE_BYTES: '400' });
    const name = 'cdr_voice_20240101_000000.csv';
    const lines = [
      HEADER,
      row(1),
      'too,few',
      `${row(2)},too,many`,
      `+27820000009,1,"x"y,1,1,1`,
      row(3),
      `${row(4)}${'z'.repeat(500)}`,
      `anonymous,1,voice,+27829876543,5,2024-01-01 10:15:30`,
      `+27820000009,1,voice,+27829876543,,2024-01-01 10:15:30`,
      `"+27820000009","1","voice","+27829876543","1.5","2024-01-01 10:15:30"`,
      `+27820000009,1,voice,+27829876543,5,2024-02-30 10:15:30`,
      `+27820000009,1,hologram,*100#,5,2024-01-01T10:15:30Z`,
    ];
    const bad = Buffer.from(`+2782000000\xff,1,voice,+27829876543,5,2024-01-01 10:15:30\r\n`, 'latin1');
    scenario.world.files.write(
      name,
      Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n`), bad, Buffer.from(`${row(5)}\r\n`)]),
    );
    scenario.scanner();
    const worker = scenario.worker();
    await scenario.untilCommitted([name]);
    const rejects = (await java.read(scenario.world.topics.rejects))
      .map(({ key, value }) => ({
        key,
        ...(JSON.parse(value ?? '') as {
          line: number;
          code: string;
          reason: string;
          raw: string;
          raw_base64?: string;
        }),
      }))
      .sort((a, b) => a.line - b.line);
    expect(rejects.map(({ key, line, code }) => `${key} ${line} ${code}`)).toEqual([
      `${name} 3 too-few-fields`,
      `${name} 4 too-many-fields`,
      `${name} 5 bad-quote`,
      `${name} 7 line-too-long`,
      `${name} 8 bad-msisdn`,
      `${name} 9 bad-integer`,
      `${name} 10 bad-integer`,
      `${name} 11 bad-time`,
      `${name} 13 bad-utf8`,
    ]);
    expect(rejects[0]?.raw).toBe('too,few');
    expect(rejects[6]?.reason).toBe('call_duration_sec is not a whole number of 1 to 18 digits');
    expect(Buffer.from(rejects[8]?.raw_base64 ?? '', 'base64')[11]).toBe(0xff);
    expect((await scenario.ledger()).get(name)).toMatchObject({ rows: 13, messages: 4, rejects: 9 });
    expect(await java.count(scenario.world.topics.voice)).toBe(4);
    // a new type of call is no fault of the row, but somebody should know
    await pollUntil('the unknown value', async () => (await worker.metric('cdr_worker_unknown_values_total')) === 1);
  });

  test('FIELD_CHECKS=off passes on what the columns have', async () => {
    const scenario = new Scenario(java, { FIELD_CHECKS: 'off' });
    const name = 'cdr_voice_20240101_000000.csv';
    const content = [
      HEADER,
      row(1),
      'anonymous,north,hologram,,-1,yesterday',
      `${'x'.repeat(100)},1.5,voice,+27829876543,5,2024-02-30 10:15:30`,
      ',,,,,',
      '',
    ].join('\r\n');
    scenario.world.files.write(name, content);
    scenario.scanner();
    const worker = scenario.worker();
    await scenario.untilCommitted([name]);
    await scenario.expectExactly([{ name, content }]);
    expect(await java.count(scenario.world.topics.rejects)).toBe(0);
    expect(await worker.metric('cdr_worker_unknown_values_total')).toBe(0);
  });

  test("a header that is not the feed's fails the job at once and shows both; a new upload under the name is taken", async () => {
    const scenario = new Scenario(java);
    const name = 'cdr_voice_20240101_000000.csv';
    scenario.world.files.write(name, 'who,what\r\n1,2\r\n', { mtimeMs: 1_700_000_000_000 });
    const scanner = scenario.scanner();
    scenario.worker();
    const failed = await scenario.untilJob(name, 'to fail', (state) => state === 'failed');
    expect(failed.failedReason).toMatch(/^bad-header: .*msisdn.*call_duration_sec.*who,what/s);
    expect(failed.attemptsMade).toBe(1);
    await scanner.untilMessage(/1 failed/);
    await scanner.untilScans(4);
    expect((await scenario.job(name))?.timestamp).toBe(failed.timestamp);

    const content = `${HEADER}\r\n${rows(0, 20)}`;
    scenario.world.files.write(name, content, { atomic: true });
    await scenario.untilCommitted([name]);
    await scenario.expectExactly([{ name, content }]);
  });

  test('a file with too many rejects is refused before anything of it is visible', async () => {
    const scenario = new Scenario(java);
    const name = 'cdr_voice_20240101_000000.csv';
    scenario.world.files.write(name, `${HEADER}\r\n${rows(0, 60)}${'rubbish\r\n'.repeat(90)}`);
    scenario.scanner();
    scenario.worker();
    const failed = await scenario.untilJob(name, 'to fail', (state) => state === 'failed');
    expect(failed.failedReason).toMatch(/^too-many-rejects: 90 of 150 rows/);
    expect(await java.count([scenario.world.topics.voice, scenario.world.topics.rejects])).toBe(0);
  });

  test('a file that is deleted between scan and attempt fails with that reason', async () => {
    const scenario = new Scenario(java);
    const [file] = scenario.upload(1, 10);
    if (!file) throw new Error('no file');
    const scanner = scenario.scanner();
    await scanner.untilMessage(/1 enqueued/);
    await scanner.end();
    scenario.world.files.remove(file.name);
    scenario.worker();
    const failed = await scenario.untilJob(file.name, 'to fail', (state) => state === 'failed');
    expect(failed.failedReason).toMatch(/^file-vanished/);
    expect(failed.attemptsMade).toBe(1);
  });

  test('a job that no scanner wrote fails with the reason', async () => {
    const scenario = new Scenario(java);
    await scenario.enqueue({ file: 'x', feed: '', size: -1, mtimeMs: 0, generation: 1 });
    scenario.worker();
    const failed = await scenario.untilJob('x', 'to fail', (state) => state === 'failed');
    expect(failed.failedReason).toMatch(/^bad-job-data: (feed|size)/);
  });
});
