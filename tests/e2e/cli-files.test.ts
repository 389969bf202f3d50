import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { CliScenario, localDirectory, localFile, type Json, withAdmin } from '../support/cli-scenario.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';

const java = useJavaConsumer();
const DATA = 'cdr_data_20240101_000000.csv';
const VOICE = 'cdr_voice_20240101_000000.csv';
const VOICE_HEADER = 'msisdn,tower_id,call_type,dest_nr,call_duration_sec,start_time';
const MTIME = Date.parse('2024-01-01T02:00:00Z');

describe('files and what became of them', () => {
  test('generate, look before the scan, ingest, look again, count again', async () => {
    const scenario = new CliScenario(java);
    await scenario.text(['topics']);
    const generated = await scenario.json(['generate', '--files', '4', '--rows', '30', '--seed', '7']);
    expect(generated).toMatchObject({ rows: 120, files: expect.arrayContaining([DATA, VOICE]) as unknown });
    const refused = await scenario.cdr('generate', '--files', '9');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(
      /^cdr: 4 files of these names are on the server already, such as cdr_data_.*--replace\n$/,
    );

    const { files } = scenario.world;
    files.write('notes.txt', 'x');
    files.write('.cdr_data_1.csv.part', 'x');
    const scan = await scenario.text(['scan', '--dry-run']);
    expect(scan).toMatch(new RegExp(`^${DATA} +take +new$`, 'm'));
    expect(scan).toMatch(/^notes\.txt +ignore +belongs to no feed$/m);
    expect(scan).toMatch(/^4 to take, 0 settling, 0 left alone, 2 ignored$/m);
    expect(await scenario.text(['files'])).toBe('0 files\n');

    const names = generated['files'] as string[];
    scenario.scanner();
    scenario.worker();
    await scenario.untilCommitted(names);

    expect(await scenario.json(['scan', '--dry-run', '--no-wait'])).toMatchObject({ counts: { take: 0, leave: 4 } });
    const status = await scenario.json(['status']);
    expect(status).toMatchObject({
      dependencies: [
        { dependency: 'sftp', ok: true },
        { dependency: 'kafka', ok: true },
        { dependency: 'redis', ok: true },
      ],
      ledger: {
        feeds: [
          { feed: 'data', ingested: 2, messages: 60, rejects: 0 },
          { feed: 'voice', ingested: 2, messages: 60 },
        ],
        changedFiles: [],
      },
      queue: { waiting: 0, failed: 0, paused: false, oldestWaitingMs: null },
      failedJobs: [],
    });
    const statusText = await scenario.text(['status']);
    expect(statusText).toMatch(/^data +2 +0 +0 +0 +0 +60 +0 +20\d\d-/m);
    expect(statusText).toMatch(/^last 60 min {2}4 files, 120 messages/m);

    const listed = (await scenario.json(['files', '--state', 'ingested', '--feed', 'voice'])) as { files: Json[] };
    expect(listed.files.map(({ file, states, rows }) => [file, states, rows])).toEqual(
      names.filter((name) => name.includes('voice')).map((name) => [name, ['ingested'], 30]),
    );
    expect(await scenario.text(['files', '--name', '*_010000.csv', '--limit', '1'])).toMatch(
      /^2 files, the first 1 shown$/m,
    );

    const shown = await scenario.text(['show', `${scenario.world.files.remotePath}/${DATA}`]);
    expect(shown).toMatch(/^server +[\d,]+ bytes, changed 20/m);
    expect(shown).toMatch(/^ledger +ingested, generation 1, offset \d+$/m);
    expect(shown).toMatch(/^counts +30 rows = 30 messages to \S+ \+ 0 rejects$/m);
    expect(shown).toMatch(/^job +completed, /m);

    expect(await scenario.json(['audit'])).toMatchObject({ audited: 4, exact: 4, differs: 0, messages: 120 });
    expect(await scenario.text(['audit', DATA])).toMatch(new RegExp(`^${DATA} +30 +30 +30 +0 +exact$`, 'm'));
    expect(await scenario.json(['audit', '--since', '1h', '--no-server-files'])).toMatchObject({
      audited: 4,
      exact: 4,
    });
    expect(await scenario.json(['audit', '--since', '2999-01-01'])).toMatchObject({ audited: 0 });
  });

  test('audit sees other content on the server, what retention took, and a topic made anew', async () => {
    const scenario = new CliScenario(java, { COMPRESSION: 'lz4', TRANSACTION_MAX_RECORDS: '15' });
    const { files, topics } = scenario.world;
    files.write(
      VOICE,
      `${VOICE_HEADER}\r\n+27821234567,1,voice,+27829876543,5,2024-01-01 10:15:30\r\n+27821234568,1,voice\r\n`,
      { mtimeMs: MTIME },
    );
    await scenario.ingested([VOICE, ...scenario.upload(1, 40).map(({ name }) => name)]);
    expect(await scenario.json(['audit'])).toMatchObject({ exact: 2, messages: 41, rejects: 1 });

    expect(await scenario.text(['rejects'])).toMatch(new RegExp(`^${VOICE} +2 +1$`, 'm'));
    expect(await scenario.text(['rejects', VOICE])).toMatch(/^ *3 +too-few-fields +.* \+27821234568,1,voice$/m);
    const exported = path.join(localDirectory(), 'rejects.csv');
    await scenario.text(['rejects', VOICE, '--export', exported]);
    expect(readFileSync(exported, 'utf8')).toContain('"3","too-few-fields"');
    expect(await scenario.cdr('rejects', VOICE, '--export', exported)).toMatchObject({ code: 2 });

    // same size, same time, one digit different
    files.write(VOICE, files.read(VOICE).replace(',5,2024', ',6,2024'), { mtimeMs: MTIME });
    const differs = await scenario.text(['audit', VOICE], 1);
    expect(differs).toContain(`${VOICE}: the content on the server is not what was ingested`);
    expect(differs).toMatch(/^1 file: 1 differs; /m);

    await withAdmin(scenario, async (admin) => {
      const offsets = await admin.fetchTopicOffsets(topics.data);
      await admin.deleteTopicRecords({
        topic: topics.data,
        partitions: offsets.map(({ partition, high }) => ({ partition, offset: high })),
      });
    });
    expect(await scenario.json(['audit', DATA])).toMatchObject({ expired: 1, messages: 0 });

    await withAdmin(scenario, (admin) => admin.deleteTopics({ topics: [topics.data] }));
    const gone = await scenario.text(['audit', DATA], 1);
    expect(gone).toContain('the log ends before offsets that the ledger names for its messages');
  });

  test('reingest asks for the next generation once, and the scanner does the rest', async () => {
    const scenario = new CliScenario(java);
    const [file = ''] = scenario.upload(1, 20).map(({ name }) => name);
    await scenario.ingested([file]);
    const unknown = await scenario.cdr('reingest', 'cdr_data_x.csv', '--reason', 'a test');
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toMatch(/^cdr: cdr_data_x\.csv is not in the ledger, .*A new file is taken by itself/);
    expect(await scenario.cdr('reingest', file)).toMatchObject({ code: 2 });
    expect(await scenario.cdr('reingest', file, '--reason', ' ')).toMatchObject({ code: 2 });

    const asked = await scenario.json(['reingest', file, '--reason', 'consumers lost it']);
    expect(asked).toMatchObject({
      written: true,
      onServer: true,
      requested: { generation: 2, reason: 'consumers lost it' },
    });
    expect(await scenario.text(['reingest', file, '--reason', 'twice'])).toMatch(
      /was asked for already, by .*Nothing was written$/m,
    );
    expect(await scenario.text(['files', '--state', 'requested'])).toMatch(/ingested, requested/);

    scenario.scanner();
    scenario.worker();
    await scenario.untilJob(
      file,
      'to be done again',
      (state, job) => state === 'completed' && job.data.generation === 2,
    );
    expect(await scenario.json(['show', file])).toMatchObject({ ledger: { record: { generation: 2, messages: 20 } } });
    expect(await scenario.json(['audit', file])).toMatchObject({ exact: 1, messages: 20 });
    expect(await java.count(scenario.world.topics.data)).toBe(40);
  });

  test('adopt takes a clean list or a time, once, and the scanner leaves those files alone', async () => {
    const scenario = new CliScenario(java);
    await scenario.text(['topics']);
    const names = scenario.upload(6, 10).map(({ name }) => name);
    const [first = '', second = ''] = names;

    const rubbish = await scenario.cdr(
      'adopt',
      localFile(first, 'report.pdf', second, '../etc/passwd', '\u001b[31mred'),
    );
    expect(rubbish).toMatchObject({ code: 2, stdout: '' });
    expect(rubbish.stderr).toContain('line 2: "report.pdf" belongs to no feed');
    expect(rubbish.stderr).toContain('line 4: "../etc/passwd" has a directory; names only');
    expect(rubbish.stderr).toContain('line 5: ');
    expect(rubbish.stderr).not.toContain('\u001b');
    expect(await scenario.cdr('adopt', '/no/such/file')).toMatchObject({ code: 2 });
    expect(await scenario.cdr('adopt')).toMatchObject({ code: 2 });
    expect(await scenario.cdr('adopt', '--before', 'soon')).toMatchObject({ code: 2 });
    expect(await scenario.json(['files'])).toMatchObject({ total: 0 });

    const list = localFile(first, second, '', first, 'cdr_data_20200101_000000.csv');
    expect(await scenario.text(['adopt', list])).toBe(
      '3 files adopted, 0 in the ledger already; 1 of the list not on the server\n',
    );
    expect(await scenario.json(['adopt', list])).toMatchObject({ adopted: [], alreadyKnown: 3 });
    expect(await scenario.text(['adopt', '--before', '2024-01-01T02:00', '--dry-run'])).toMatch(
      /^2 files would be adopted, 2 in/m,
    );
    expect(await scenario.json(['adopt', '--before', '2024-01-01T02:00'])).toMatchObject({
      adopted: names.slice(2, 4),
      alreadyKnown: 2,
    });

    scenario.scanner();
    scenario.worker();
    await scenario.untilCommitted(names.slice(4));
    expect(await java.count([scenario.world.topics.data, scenario.world.topics.voice])).toBe(20);
    expect(await scenario.json(['audit'])).toMatchObject({ audited: 7, exact: 2, adopted: 5 });
    expect(await scenario.text(['show', first])).toMatch(/^ledger +adopted, generation 1, /m);
  });

  test("an operator's write in the middle of an attempt fences it, and nothing of the attempt becomes visible", async () => {
    const scenario = new CliScenario(java);
    const [{ name } = { name: '' }] = scenario.upload(1, 50);
    scenario.scanner();
    const worker = scenario.faultyWorker('before-commit:freeze');
    await worker.untilFault();
    expect(await scenario.json(['adopt', '--before', '2025-01-01'])).toMatchObject({ adopted: [name] });
    worker.signal('SIGCONT');
    await scenario.untilJob(name, 'to be done', (state) => state === 'completed');
    expect(await java.count(scenario.world.topics.data)).toBe(0);
    expect((await scenario.ledger()).get(name)?.state).toBe('adopted');
  });
});
