import { readFileSync } from 'node:fs';
import { generateCdrFiles } from '@cdr/core/generate-cdr';
import { jobIdOf } from '@cdr/core/job-id';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { AppProcess, FAST } from '../support/app-process.ts';
import { runCli } from '../support/cli.ts';
import { Dashboard, OPERATOR, VIEWER } from '../support/dashboard-client.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { redisContents } from '../support/redis-contents.ts';
import { Scenario } from '../support/scenario.ts';
import { TestWorld } from '../support/test-world.ts';

const java = useJavaConsumer();
const REDIS_PASSWORD = 'red1s-s3cret~word';
const KAFKA_PASSWORD = 'k4fka-s3cret~word';
const WRONG_PASSWORD = 'wr0ng-s3cret~word';
const VOICE_HEADER = 'msisdn,tower_id,call_type,dest_nr,call_duration_sec,start_time';

const GOOD = ['cdr_data_20240101_000000.csv', 'cdr_voice_20240101_000000.csv'];
const REJECTS = 'cdr_voice_rejects.csv';
const CHANGED = 'cdr_voice_changed.csv';
const NO_HEADER = ['cdr_data_no_header.csv', 'cdr_voice_no_header.csv', 'cdr_voice_spaced.csv', 'cdr_data_quoted.csv'];
const TOO_MANY = 'cdr_voice_too_many.csv';

/** A piece of what somebody without access to the topics may see, and where it was. */
interface Seen {
  readonly where: string;
  readonly text: string;
}

/** Subscriber numbers as the test's files have them: distinct, and nothing else looks like one. */
function numbers(): () => string {
  let next = 0;
  return () => `+2782555${String(1000 + next++)}`;
}

function contents(): Map<string, Buffer> {
  const number = numbers();
  const row = (): string => `${number()},1,voice,${number()},5,2024-01-01 10:15:30`;
  const rows = (count: number): string[] => Array.from({ length: count }, row);
  const file = (...lines: string[]): Buffer => Buffer.from(`${lines.join('\r\n')}\r\n`);
  const [data, voice] = [...generateCdrFiles({ files: 2, rowsPerFile: 150, seed: 11 })];
  if (!data || !voice) throw new Error('no file was generated');
  const dataLines = data.content.toString().split('\r\n');
  return new Map([
    [GOOD[0] ?? '', data.content],
    [GOOD[1] ?? '', voice.content],
    [
      REJECTS,
      Buffer.concat([
        file(VOICE_HEADER, ...rows(20), `${number()},1`, `${row()},more`, `${number()},"1"x,voice,${number()},5,x`),
        file(`${number()},1,voice,${number()},five,2024-01-01 10:15:30`, `${number()},1,voice,${number()},5,later`),
        file(`x${number()},1,voice,${number()},5,2024-01-01 10:15:30`, `${row()}${'z'.repeat(600)}`, `"${row()}`),
        Buffer.from(`${number()},\xff,voice,${number()},5,2024-01-01 10:15:30\r\n`, 'latin1'),
      ]),
    ],
    [CHANGED, file(VOICE_HEADER, ...rows(10))],
    [NO_HEADER[0] ?? '', file(...dataLines.slice(1, 20))],
    [NO_HEADER[1] ?? '', file(...rows(10))],
    // a number with spaces has no long run of digits
    [NO_HEADER[2] ?? '', file('+27 82 555 0001,1,voice,(0)82-555-0002,5,2024-01-01 10:15:30', ...rows(3))],
    [NO_HEADER[3] ?? '', file(`"${number()}","1","x`, ...rows(3))],
    [TOO_MANY, file(VOICE_HEADER, ...rows(60), ...rows(90).map((line) => line.replace(',1,', ',one,')))],
  ]);
}

/** What must be nowhere: every value of columns that say who it was, and where he was on the net. */
function personalData(files: ReadonlyMap<string, Buffer>): Set<string> {
  const found = new Set<string>(['82 555 0001', '82-555-0002']);
  for (const content of files.values()) {
    const text = content.toString('latin1');
    for (const [number] of text.matchAll(/\d{9,}/g)) found.add(number);
    for (const [value] of text.matchAll(/https:\/\/[^,\r\n]+|\b41\.\d+\.\d+\.\d+/g)) found.add(value);
  }
  return found;
}

/** `where: secret` of each secret that is somewhere, in whatever form. */
function leaks(seen: readonly Seen[], secrets: ReadonlyMap<string, string>, personal: ReadonlySet<string>): string[] {
  const forms = [...secrets].flatMap(([name, secret]) =>
    [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64'),
      Buffer.from(secret).toString('hex'),
    ].map((form) => ({ name, form })),
  );
  return seen.flatMap(({ where, text }) => [
    ...forms.filter(({ form }) => text.includes(form)).map(({ name }) => `${where}: ${name}`),
    ...[...personal].filter((value) => text.includes(value)).map((value) => `${where}: ${value}`),
  ]);
}

test('no password and no subscriber number is in a log, in Redis, on a page or in what commands say', async () => {
  const world = new TestWorld();
  const admin = new Redis(world.redisUrl);
  await admin.call('ACL', 'SETUSER', world.id, 'on', `>${REDIS_PASSWORD}`, '~*', '&*', '+@all');
  onTestFinished(async () => {
    await admin.call('ACL', 'DELUSER', world.id);
    admin.disconnect();
  });
  const redisUrl = new URL(world.redisUrl);
  redisUrl.username = world.id;
  redisUrl.password = REDIS_PASSWORD;
  const env = {
    REDIS_URL: redisUrl.href,
    LOG_LEVEL: 'trace',
    MAX_LINE_BYTES: '400',
    TRANSACTION_MAX_RECORDS: '100000',
    TOPIC_REPLICATION: '1',
  };
  const secrets = new Map([
    ['the password of Redis', REDIS_PASSWORD],
    ['the password of Kafka', KAFKA_PASSWORD],
    ['a wrong password', WRONG_PASSWORD],
    ['the password of the operator', OPERATOR.password],
    ['the password of the viewer', VIEWER.password],
    ...(world.env['SFTP_PASSWORD'] ? [['the password of SFTP', world.env['SFTP_PASSWORD']] as const] : []),
    ...(world.env['SFTP_PRIVATE_KEY_FILE']
      ? [['the SFTP key', readFileSync(world.env['SFTP_PRIVATE_KEY_FILE'], 'utf8').split('\n')[2] ?? ''] as const]
      : []),
  ]);
  const seen: Seen[] = [];

  // everything that writes: scanner, workers, one that cannot log in anywhere, dashboard
  const files = contents();
  for (const [name, content] of files) world.files.write(name, content);
  const personal = personalData(files);
  const scenario = new Scenario(java, env, world);
  const scanner = scenario.scanner();
  const worker = scenario.worker();
  const dashboardEnv = {
    DASHBOARD_PORT: '0',
    DASHBOARD_PASSWORD: OPERATOR.password,
    DASHBOARD_READONLY_USER: VIEWER.user,
    DASHBOARD_READONLY_PASSWORD: VIEWER.password,
    DASHBOARD_WATCH: `scanner=${await scanner.healthUrl()},worker=${await worker.healthUrl()}`,
  };
  const app = AppProcess.start('dashboard', { ...FAST, ...world.env, ...env, ...dashboardEnv });
  await scenario.untilCommitted([...GOOD, REJECTS, CHANGED]);
  for (const name of [...NO_HEADER, TOO_MANY])
    await scenario.untilJob(name, 'to fail', (state) => state === 'failed', { deadlineMs: 60_000 });
  world.files.write(CHANGED, files.get(CHANGED)?.toString().replaceAll(',5,', ',6,7') ?? '', { atomic: true });
  await worker.untilMessage(/changed after it was ingested/);

  const strangers = [
    scenario.worker({ SFTP_PASSWORD: WRONG_PASSWORD, SFTP_PRIVATE_KEY_FILE: '' }),
    scenario.worker({ REDIS_URL: `redis://${world.id}:${WRONG_PASSWORD}@${redisUrl.host}` }),
    scenario.scanner({
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'cdr',
      KAFKA_SASL_PASSWORD: KAFKA_PASSWORD,
    }),
  ];
  for (const stranger of strangers)
    await stranger.untilLine('what it waits for', ({ level }) => level === 'warn' || level === 'error');

  // everything that is asked
  const cliEnv = { ...FAST, ...world.env, ...env, LOG_LEVEL: 'debug' };
  const commands = [
    ['retry', NO_HEADER[0] ?? ''],
    ['retry', '--code', 'too-many-rejects'],
    ['reingest', GOOD[0] ?? '', '--reason', 'a test'],
    ['status'],
    ['files'],
    ['audit'],
    ['rejects'],
    ['scan', '--dry-run', '--no-wait'],
    ['check'],
    ['topics'],
    ['adopt', '--before', '2020-01-01'],
    ...[...files.keys()].map((name) => ['show', name]),
  ];
  for (const args of commands)
    for (const json of [[], ['--json']]) {
      const { stdout, stderr } = await runCli([...args, ...json], cliEnv);
      seen.push({ where: `cdr ${[...args, ...json].join(' ')}`, text: stdout + stderr });
    }
  for (const wrong of [
    { REDIS_URL: `redis://${world.id}:${WRONG_PASSWORD}@${redisUrl.host}` },
    { SFTP_PASSWORD: WRONG_PASSWORD, SFTP_PRIVATE_KEY_FILE: '' },
    { KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_SASL_USERNAME: 'cdr', KAFKA_SASL_PASSWORD: KAFKA_PASSWORD },
    { REDIS_URL: `http://${world.id}:${WRONG_PASSWORD}@${redisUrl.host}`, TOPIC_PARTITIONS: 'many' },
  ])
    for (const args of [['check'], ['check', '--json'], ['status']]) {
      const { stdout, stderr } = await runCli(args, { ...cliEnv, ...wrong });
      seen.push({ where: `cdr ${args.join(' ')} with ${Object.keys(wrong).join()} wrong`, text: stdout + stderr });
    }
  await pollUntil('the next generation', async () => ((await scenario.known(GOOD[0] ?? ''))?.generation ?? 1) > 1);

  const { dashboardPort } = await app.untilLine('its address', (line) => typeof line['dashboardPort'] === 'number');
  const dashboard = new Dashboard(app, Number(dashboardPort));
  await dashboard.tryLogin({ ...OPERATOR, password: WRONG_PASSWORD });
  await dashboard.tryLogin({ user: '', password: WRONG_PASSWORD });
  const pages = ['/', '/audit', '/queues/', '/login', '/nowhere', '/queues/api/queues'];
  const states = ['latest', 'failed', 'completed', 'waiting', 'delayed', 'active'];
  const apis = states.map((state) => `/queues/api/queues?activeQueue=cdr-files&status=${state}&jobsPerPage=50`);
  const jobs = [...files.keys()].flatMap((name) => {
    const job = `/queues/api/queues/cdr-files/${encodeURIComponent(jobIdOf(name))}`;
    return [job, `${job}/logs`];
  });
  const operator = await dashboard.as(OPERATOR);
  await operator.board('PUT', `/${jobIdOf(TOO_MANY)}/retry`);
  for (const [who, visitor] of [
    ['operator', operator],
    ['viewer', await dashboard.as(VIEWER)],
    ['nobody', dashboard],
  ] as const)
    for (const page of [...pages, ...apis, ...jobs]) {
      const { text, headers } = await visitor.ask(page);
      seen.push({ where: `dashboard ${page} for ${who}`, text: JSON.stringify([...headers]) + text });
    }
  const apps = { scanner, worker, dashboard: app };
  for (const [name, { pid }] of Object.entries(apps))
    seen.push({ where: `command line of ${name}`, text: readFileSync(`/proc/${pid}/cmdline`, 'utf8') });
  for (const [name, each] of Object.entries(apps))
    for (const page of ['/healthz', '/readyz', '/metrics']) {
      const response = await fetch((await each.healthUrl()) + page);
      expect([200, 503], `${name} ${page}`).toContain(response.status);
      seen.push({ where: `${name} ${page}`, text: await response.text() });
    }

  for (const [name, each] of [...Object.entries(apps), ...strangers.entries()]) {
    await each.end();
    const text = [...each.lines.map((line) => JSON.stringify(line)), ...each.other].join('\n');
    seen.push({ where: `log of ${typeof name === 'string' ? name : `stranger ${name + 1}`}`, text });
  }
  for (const [key, text] of await redisContents(admin, `${world.redisPrefix}:*`))
    seen.push({ where: `Redis ${key}`, text });

  // what was looked at is what it should be: an empty page has no secret either
  const inAll = (part: string): number => seen.filter(({ text }) => text.includes(part)).length;
  expect(inAll(REJECTS)).toBeGreaterThan(10);
  expect(inAll('bad-header')).toBeGreaterThan(10);
  expect(seen.filter(({ where }) => where.startsWith('Redis ')).length).toBeGreaterThan(10);
  expect(await java.count(world.topics.rejects)).toBeGreaterThan(8);
  expect(personal.size).toBeGreaterThan(500);
  expect(seen.filter(({ text }) => text.length === 0).map(({ where }) => where)).toEqual([]);

  expect(leaks(seen, secrets, personal)).toEqual([]);
});

test('whatever is looked for is found: plain, as a part of an URL, in base64 and as a number', () => {
  const secrets = new Map([['it', 'pass~wörd']]);
  const personal = new Set(['27825551000']);
  const text = (text: string): string[] => leaks([{ where: 'here', text }], secrets, personal);
  expect(text('xpass~wördx')).toEqual(['here: it']);
  expect(text(`redis://:${encodeURIComponent('pass~wörd')}@host`)).toEqual(['here: it']);
  expect(text(Buffer.from('pass~wörd').toString('base64'))).toEqual(['here: it']);
  expect(text('number +27825551000.')).toEqual(['here: 27825551000']);
  expect(text('pass wörd 2782555100')).toEqual([]);
});
