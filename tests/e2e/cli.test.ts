import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { jobIdOf } from '@cdr/core/job-id';
import { Redis } from 'ioredis';
import kafkajs, { type Admin } from 'kafkajs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AppProcess, FAST } from '../support/app-process.ts';
import { runCli, startCli, type CliResult } from '../support/cli.ts';
import { Dashboard, OPERATOR } from '../support/dashboard-client.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();
const DATA = 'cdr_data_20240101_000000.csv';
const VOICE = 'cdr_voice_20240101_000000.csv';
const VOICE_HEADER = 'msisdn,tower_id,call_type,dest_nr,call_duration_sec,start_time';
const MTIME = Date.parse('2024-01-01T02:00:00Z');

type Json = Record<string, unknown>;

/** A scenario with a command line. */
class CliScenario extends Scenario {
  readonly cliEnv: Record<string, string>;

  constructor(env: Record<string, string> = {}) {
    super(java, { TOPIC_REPLICATION: '1', ...env });
    this.cliEnv = { ...FAST, ...this.world.env, TOPIC_REPLICATION: '1', LOG_LEVEL: 'info', ...env };
  }

  cdr(...args: string[]): Promise<CliResult> {
    return runCli(args, this.cliEnv);
  }

  /** Runs a command that must end well, or as expected, and gives its JSON answer. */
  async json(args: readonly string[], code = 0): Promise<Json> {
    const result = await this.cdr(...args, '--json');
    expect(result, result.stderr).toMatchObject({ code });
    return JSON.parse(result.stdout) as Json;
  }

  /** The same in text. */
  async text(args: readonly string[], code = 0): Promise<string> {
    const result = await this.cdr(...args);
    expect(result, result.stderr).toMatchObject({ code });
    return result.stdout;
  }

  /** Has these files ingested by a scanner and a worker, which leave again. */
  async ingested(names: readonly string[]): Promise<void> {
    const apps = [this.scanner(), this.worker()];
    await this.untilCommitted(names);
    await Promise.all(apps.map((app) => app.end()));
  }
}

async function withAdmin<T>(scenario: Scenario, action: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new kafkajs.Kafka({ brokers: scenario.world.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await action(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Gone after the test. */
function localDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'cdr-cli-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** A local file with these lines, gone after the test. */
function localFile(...lines: string[]): string {
  const file = path.join(localDirectory(), 'processed_files.txt');
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  return file;
}

describe('check and topics', () => {
  test('what is missing is named with what to do; topics creates it; then all is well', async () => {
    const scenario = new CliScenario();
    const { topics } = scenario.world;
    const before = await scenario.text(['check'], 1);
    expect(before).toMatch(/^ok {7}sftp: \S+@\S+, host key .*, 0 files, 0 of them CDR files$/m);
    expect(before).toMatch(/^ok {7}redis: reached, clock [+-]\d+ ms, 0 jobs waiting, 0 failed$/m);
    expect(before).toMatch(/^ok {7}kafka: 1 broker up$/m);
    expect(before).toContain(
      `FAILED   topic ${topics.data}: topic ${topics.data} does not exist. Create it with: cdr topics`,
    );

    const created = await scenario.text(['topics']);
    expect(created).toMatch(new RegExp(`^${topics.ledger} +ledger +1 +1 +created$`, 'm'));
    const again = (await scenario.json(['topics']))['topics'] as Json[];
    expect(again.map(({ topic, created: now }) => [topic, now])).toEqual(
      [topics.data, topics.voice, topics.rejects, topics.ledger].map((topic) => [topic, false]),
    );

    const after = await scenario.json(['check']);
    expect(after['ok']).toBe(true);
    const ledger = (after['checks'] as Json[]).find(({ check }) => check === 'ledger');
    expect(ledger?.['detail']).toContain('Redis knows nothing of it yet');
  });

  test('every check runs, whatever fails: a server that is away, and settings that are wrong', async () => {
    const scenario = new CliScenario({ SFTP_PORT: '1', TOPIC_PARTITIONS: 'many' });
    const { checks, ok } = (await scenario.json(['check'], 1)) as { checks: Json[]; ok: boolean };
    expect(ok).toBe(false);
    const states = Object.fromEntries<string>(
      checks.map(({ check, state, detail }) => [String(check), `${String(state)}: ${String(detail)}`]),
    );
    expect(states['settings']).toMatch(/^failed: wrong settings: TOPIC_PARTITIONS must be a whole number/);
    expect(states['sftp']).toMatch(/^failed: cannot connect to the SFTP server .*Check that the SFTP server is up/);
    expect(states['redis']).toMatch(/^ok/);
    expect(states['kafka']).toMatch(/^failed: wrong settings/);
  });

  test('the protocol is tried out on the cluster, and nothing is left behind', async () => {
    const scenario = new CliScenario();
    const text = await scenario.text(['check', '--protocol']);
    expect(text.match(/^ok {6}/gm)).toHaveLength(7);
    expect(text).toContain('ok      a fence refuses the commit of the earlier producer: ');
    expect(text).toMatch(/the cluster keeps what the protocol rests on\n$/);
    const left = await withAdmin(scenario, (admin) => admin.listTopics());
    expect(left.filter((topic) => topic.startsWith(`${scenario.world.topics.ledger}-check-`))).toEqual([]);
  });
});

describe('files and what became of them', () => {
  test('generate, look before the scan, ingest, look again, count again', async () => {
    const scenario = new CliScenario();
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
    const scenario = new CliScenario({ COMPRESSION: 'lz4', TRANSACTION_MAX_RECORDS: '15' });
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
    const scenario = new CliScenario();
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
    const scenario = new CliScenario();
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
    const scenario = new CliScenario();
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

describe('failed jobs', () => {
  test('are shown with their reason and retried anew, oldest first', async () => {
    const scenario = new CliScenario();
    const { files } = scenario.world;
    const names = ['a', 'b', 'c'].map((letter) => `cdr_voice_${letter}\u001b]0;.csv`);
    const scanner = scenario.scanner();
    const worker = scenario.worker();
    for (const name of names) {
      files.write(name, 'not,the,header\r\n1,2,3\r\n', { atomic: true });
      await scenario.untilJob(name, 'to fail', (state) => state === 'failed');
    }
    await Promise.all([scanner.end(), worker.end()]);

    const status = await scenario.text(['status']);
    expect(status).toContain('3 failed');
    expect(status).toContain('cdr_voice_a\\u001b]0;.csv  bad-header: ');
    expect(status).not.toContain('\u001b');
    expect(await scenario.json(['files', '--state', 'failed'])).toMatchObject({ total: 3 });
    const [first = ''] = names;
    const shown = await scenario.cdr('show', first);
    expect(shown.stdout).toMatch(/^failed +bad-header: /m);
    expect(shown.stdout).not.toContain('\u001b');

    const redis = new Redis(scenario.world.redisUrl);
    onTestFinished(() => redis.disconnect());
    const jobKey = `${scenario.world.redisPrefix}:cdr-files:${jobIdOf(first)}`;
    await redis.hset(jobKey, 'stc', 7);
    expect(await scenario.text(['retry', '--code', 'file-vanished'])).toBe('no job has failed with file-vanished\n');
    expect(await scenario.cdr('retry', '--code', 'nonsense')).toMatchObject({ code: 2 });
    expect(await scenario.cdr('retry')).toMatchObject({ code: 2 });
    expect(await scenario.json(['retry', '--code', 'bad-header'])).toEqual({ retried: names, skipped: [] });
    const job = await scenario.job(first);
    expect([job?.attemptsMade, job?.failedReason]).toEqual([0, undefined]);
    expect(await redis.hget(jobKey, 'stc')).toBeNull();
    // what is taken next is last
    const waiting = await redis.lrange(`${scenario.world.redisPrefix}:cdr-files:wait`, 0, -1);
    expect(waiting.toReversed()).toEqual(names.map((name) => jobIdOf(name)));
    expect(await scenario.text(['retry', '--all'])).toBe('no job has failed\n');
    expect(await scenario.text(['retry', first], 1)).toMatch(/has not failed, it is waiting/);
    expect(await scenario.text(['retry', 'cdr_voice_z.csv'], 1)).toMatch(/has no job/);
    expect(await scenario.json(['status'])).toMatchObject({
      queue: { waiting: 3, oldestWaitingMs: expect.any(Number) as unknown },
    });
  });
});

describe('the audit trail', () => {
  /** The audit page of a dashboard that is started for it, line by line, without its markup. */
  async function auditLines(scenario: CliScenario): Promise<string[]> {
    const app = AppProcess.start('dashboard', {
      ...FAST,
      ...scenario.world.env,
      DASHBOARD_PORT: '0',
      DASHBOARD_PASSWORD: OPERATOR.password,
    });
    const { dashboardPort } = await app.untilLine('its address', (line) => typeof line['dashboardPort'] === 'number');
    const { text } = await (await new Dashboard(app, Number(dashboardPort)).as(OPERATOR)).ask('/audit');
    expect(await app.end()).toBe(0);
    return text.split('<tr>').map((row) =>
      row
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .replace(/ The newest \d+, newest first.*$/, '')
        .trim(),
    );
  }

  test('has who did what from where at a shell, each retry and re-ingestion, and outlives a dashboard', async () => {
    const scenario = new CliScenario();
    const [{ name } = { name: '' }] = scenario.upload(1, 5);
    scenario.world.files.write('cdr_voice_a.csv', 'x\r\n');
    scenario.world.files.write('cdr_voice_b<b>.csv', 'x\r\n');
    const apps = [scenario.scanner(), scenario.worker()];
    await scenario.untilCommitted([name]);
    for (const file of ['cdr_voice_a.csv', 'cdr_voice_b<b>.csv'])
      await scenario.untilJob(file, 'to fail', (state) => state === 'failed');
    await Promise.all(apps.map((app) => app.end()));

    const before = Date.now();
    await scenario.json(['retry', 'cdr_voice_a.csv']);
    await runCli(['retry', '--all'], { ...scenario.cliEnv, SSH_CONNECTION: '192.0.2.7 5000 192.0.2.1 22' });
    await scenario.json(['reingest', name, '--reason', 'consumers <lost> it']);
    await scenario.json(['reingest', name, '--reason', 'nothing is written a second time']);
    await scenario.json(['adopt', localFile('cdr_data_20200101_000000.csv')]);
    await scenario.json(['retry', 'cdr_voice_a.csv'], 1);

    const who = `${userInfo().username}@${hostname()}`;
    const wanted = [
      `${who} ${hostname()} cdr adopt cdr_data_20200101_000000.csv`,
      `${who} ${hostname()} cdr reingest ${name} as generation 2: consumers &lt;lost&gt; it`,
      `${who} 192.0.2.7 on ${hostname()} cdr retry cdr_voice_b&lt;b&gt;.csv`,
      `${who} ${hostname()} cdr retry cdr_voice_a.csv`,
    ];
    for (const look of ['once', 'after a restart']) {
      const lines = (await auditLines(scenario)).flatMap((line) => {
        const [, at = '', rest = ''] = /^(\S+ \S+) (.* cdr .*)$/.exec(line) ?? [];
        return rest === '' || Math.abs(Date.parse(`${at}Z`) - before) > 120_000 ? [] : [rest];
      });
      expect(lines, look).toEqual(wanted);
    }
  });
});

describe('when something is wrong', () => {
  test('it is said in one line, with an exit code of its own', async () => {
    const scenario = new CliScenario();
    const oneLine = async (code: number, env: Record<string, string>, ...args: string[]): Promise<string> => {
      const result = await runCli(args, { ...scenario.cliEnv, ...env });
      expect(result, result.stderr).toMatchObject({ code, stdout: '' });
      expect(result.stderr).toMatch(/^cdr: [^\n]*\n$/);
      return result.stderr;
    };
    expect(await oneLine(3, { REDIS_URL: 'redis://:secret@127.0.0.1:1' }, 'files')).toMatch(/Redis.*Check REDIS_URL/);
    expect(await oneLine(3, { KAFKA_BROKERS: '127.0.0.1:1' }, 'audit')).toMatch(/Check KAFKA_BROKERS/);
    expect(await oneLine(3, { SFTP_PORT: '1' }, 'generate', '--files', '1')).toMatch(
      /Check that the SFTP server is up/,
    );
    expect(await oneLine(2, { SFTP_PASSWORD: 'wrong', SFTP_PRIVATE_KEY_FILE: '' }, 'generate')).toMatch(
      /refuses the login.*Check SFTP_USER and SFTP_PASSWORD/,
    );
    expect(await oneLine(1, {}, 'audit')).toMatch(/does not exist. Create it with: cdr topics/);
    await scenario.text(['topics']);
    expect(await oneLine(1, {}, 'show', 'cdr_data_x.csv')).toMatch(
      /neither in the ledger nor in the queue, nor on the server.*cdr files --name/,
    );
    expect(await oneLine(2, {}, 'scan')).toMatch(/cdr scan --dry-run/);
    expect(await oneLine(2, {}, 'files', '--feed', 'fax')).toMatch(/no feed is called fax; there are data and voice/);

    const settings = await runCli(['status'], {
      ...scenario.cliEnv,
      SFTP_HOST_KEY: '',
      REDIS_URL: 'localhost',
      TOPIC_PARTITIONS: '0',
    });
    expect(settings).toMatchObject({ code: 2, stdout: '' });
    for (const name of ['SFTP_HOST_KEY', 'REDIS_URL', 'TOPIC_PARTITIONS'])
      expect(settings.stderr).toContain(`  ${name} `);
    const option = await scenario.cdr('files', '--sate', 'failed');
    expect(option).toMatchObject({ code: 2, stdout: '' });
    expect(option.stderr).toContain('Did you mean --state?');
  });

  test('an answer in JSON says so, too, and status shows what it can', async () => {
    const scenario = new CliScenario();
    await scenario.text(['topics']);
    expect(await scenario.json(['show', 'cdr_data_x.csv'], 1)).toMatchObject({ error: { code: 'file-vanished' } });
    const away = await runCli(['status', '--json'], { ...scenario.cliEnv, REDIS_URL: 'redis://127.0.0.1:1' });
    expect(away.code).toBe(3);
    expect(JSON.parse(away.stdout)).toMatchObject({
      dependencies: [{ ok: true }, { ok: true }, { dependency: 'redis', ok: false }],
      ledger: null,
      queue: null,
    });
  });

  test('status --watch goes on until it is interrupted', async () => {
    const scenario = new CliScenario();
    await scenario.text(['topics']);
    const child = startCli(['status', '--watch', '1'], scenario.cliEnv);
    const exited = once(child, 'exit');
    let answers = 0;
    for await (const line of createInterface({ input: child.stdout ?? process.stdin })) {
      if (line.startsWith('sftp, kafka and redis answer') && ++answers === 2) child.kill('SIGINT');
    }
    expect(answers).toBeGreaterThanOrEqual(2);
    expect(await exited).toEqual([0, null]);
  });

  test('help says what each command and exit code is for', async () => {
    const main = await runCli(['--help'], {});
    expect(main.code).toBe(0);
    const commands = [...main.stdout.matchAll(/^ {2}([a-z]+) .*/gm)].map(([, name]) => name ?? '');
    expect(commands).toEqual(
      expect.arrayContaining([
        'status',
        'files',
        'show',
        'retry',
        'reingest',
        'adopt',
        'audit',
        'scan',
        'check',
        'topics',
        'generate',
        'rejects',
      ]),
    );
    for (const name of ['adopt', 'audit']) {
      const help = await runCli([name, '--help'], {});
      expect(help.code).toBe(0);
      expect(help.stdout).toMatch(/--json.*Exit codes:/s);
    }
  });
});
