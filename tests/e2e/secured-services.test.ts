import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { errorCodeOf } from '@cdr/core/errors';
import { jobIdOf } from '@cdr/core/job-id';
import { readSettings } from '@cdr/core/settings';
import { transactionalIdOf } from '@cdr/core/transactional-id';
import { KAFKA_ENV, kafkaFrom } from '@cdr/kafka/kafka-env';
import { lackingRights } from '@cdr/kafka/kafka-rights';
import type { KafkaSettings } from '@cdr/kafka/kafka-settings';
import { ensureTopics, inspectTopics, type TopicSettings } from '@cdr/kafka/topics';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { inParallel } from '../../apps/cli/src/in-parallel.ts';
import { AppProcess, FAST } from '../support/app-process.ts';
import { Authority, type Certificate } from '../support/certificates.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { Dashboard } from '../support/dashboard-client.ts';
import { documentedKafkaRights, documentedRedisRules, type KafkaRole } from '../support/documented-rights.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { scanHostKeys, withPassphrase } from '../support/other-sshd.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';
import { SecuredKafka, type KafkaRight } from '../support/secured-kafka.ts';
import { SecuredRedis } from '../support/secured-redis.ts';
import { sharedParts, TestWorld } from '../support/test-world.ts';

/** One user for each column of the table in docs/operations.md. */
const ROLES = { worker: 'Worker', scanner: 'Scanner', cli: '`cdr`' } as const satisfies Record<string, KafkaRole>;
type User = keyof typeof ROLES;

const newPassword = (): string => `secret${randomBytes(12).toString('hex')}`;
const PASSWORDS: Record<User | 'redis' | 'passphrase', string> = {
  worker: newPassword(),
  scanner: newPassword(),
  cli: newPassword(),
  redis: newPassword(),
  passphrase: newPassword(),
};

let dir: string;
let kafka: SecuredKafka;
let redis: SecuredRedis;
let authority: Authority;
let stranger: Authority;
let workerCertificate: Certificate;
let strangersCertificate: Certificate;

beforeAll(async () => {
  dir = sharedParts().instance.dir;
  authority = await Authority.make(path.join(dir, 'secured-ca'));
  stranger = await Authority.make(path.join(dir, 'secured-stranger'));
  workerCertificate = authority.issue('worker');
  strangersCertificate = stranger.issue('worker');
  const users = Object.keys(ROLES).map((name) => ({ name, password: PASSWORDS[name as User] }));
  [kafka, redis] = await Promise.all([
    SecuredKafka.start(path.join(dir, 'secured-kafka'), authority, users),
    SecuredRedis.start(path.join(dir, 'secured-redis'), authority),
  ]);
});
afterAll(() => Promise.all([kafka.stop(), redis.stop()]));

const java = useJavaConsumer(() => kafka.adminBrokers);

/** What a process with these settings says must hold none of the passwords. */
function expectNoSecretIn(text: string): void {
  for (const [whose, password] of Object.entries(PASSWORDS))
    expect(text.includes(password), `the password of ${whose} in:\n${text}`).toBe(false);
}

function outputOf(app: AppProcess): string {
  return [...app.lines.map((line) => JSON.stringify(line)), ...app.other].join('\n');
}

/** A test's own topics, keys and directory on the secured services, with the rights that the documentation lists. */
class SecuredWorld {
  readonly world: TestWorld;
  readonly topics: TopicSettings;

  constructor() {
    const parts = sharedParts();
    const env = { ...parts.env, KAFKA_BROKERS: kafka.adminBrokers, TOPIC_REPLICATION: '1', REDIS_URL: redis.adminUrl };
    this.world = new TestWorld({ instance: parts.instance, env, ...(parts.sshd ? { sshd: parts.sshd } : {}) });
    const { data, voice, rejects, ledger } = this.world.topics;
    this.topics = {
      recordTopics: [data, voice],
      rejectsTopic: rejects,
      ledgerTopic: ledger,
      partitions: 2,
      replication: 1,
    };
  }

  static async open(): Promise<SecuredWorld> {
    const secured = new SecuredWorld();
    const { data, voice, rejects, ledger } = secured.world.topics;
    await kafka.createTopics([
      ...[data, voice, rejects].map((topic) => ({ topic, compact: false })),
      { topic: ledger, compact: true },
    ]);
    await secured.grantAll();
    await redis.admin.call('ACL', 'SETUSER', ...secured.redisUser());
    return secured;
  }

  /** For ACL SETUSER: name and rules. */
  redisUser(): string[] {
    return [this.world.id, ...documentedRedisRules(PASSWORDS.redis, this.world.redisPrefix)];
  }

  rightsOf(user: User): KafkaRight[] {
    const { data, voice, rejects, ledger } = this.world.topics;
    return documentedKafkaRights(ROLES[user], {
      CDR_DATA_TOPIC: data,
      CDR_VOICE_TOPIC: voice,
      CDR_REJECTS_TOPIC: rejects,
      CDR_LEDGER_TOPIC: ledger,
    });
  }

  async grantAll(): Promise<void> {
    for (const user of Object.keys(ROLES) as User[]) await kafka.grant(user, this.rightsOf(user));
  }

  /** The environment of an app that logs in as a user, everywhere in the strictest way. */
  env(user: User, mechanism: string): Record<string, string> {
    return { ...this.world.env, ...this.kafkaEnv(user, mechanism), ...this.redisEnv() };
  }

  kafkaEnv(user: User, mechanism: string): Record<string, string> {
    return {
      KAFKA_BROKERS: kafka.saslBrokers,
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA_FILE: authority.caFile,
      KAFKA_SASL_MECHANISM: mechanism,
      KAFKA_SASL_USERNAME: user,
      KAFKA_SASL_PASSWORD: PASSWORDS[user],
    };
  }

  /** As the worker's user by certificate and without a password. */
  certificateEnv(): Record<string, string> {
    return {
      KAFKA_BROKERS: kafka.certificateBrokers,
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA_FILE: authority.caFile,
      KAFKA_TLS_CERT_FILE: workerCertificate.certFile,
      KAFKA_TLS_KEY_FILE: workerCertificate.keyFile,
      KAFKA_SASL_MECHANISM: '',
      KAFKA_SASL_USERNAME: '',
      KAFKA_SASL_PASSWORD: '',
    };
  }

  redisEnv(): Record<string, string> {
    return {
      REDIS_URL: redis.url(this.world.id, PASSWORDS.redis),
      REDIS_TLS_CA_FILE: authority.caFile,
    };
  }

  /** In this process, as a user. */
  settings(user: User): KafkaSettings {
    const settings = readSettings(this.kafkaEnv(user, 'scram-sha-256'), KAFKA_ENV);
    return kafkaFrom(settings, 'cdr-test', (file) => readFileSync(file, 'utf8'));
  }

  /** `cdr check` in the environment given; expects no password in what it says. */
  async cli(args: readonly string[], env: Record<string, string>): Promise<CliResult> {
    const result = await runCli(args, env);
    expectNoSecretIn(result.stdout + result.stderr);
    return result;
  }

  /** Every right that a user lacks, as `cdr check` finds them. */
  async lacking(user: User): Promise<string[]> {
    const settings = this.settings(user);
    const id = transactionalIdOf(this.topics.ledgerTopic, `/test/${randomBytes(4).toString('hex')}`);
    const findings = await inspectTopics(settings, this.topics);
    const { needed, toRead } = await lackingRights(settings, this.topics, id);
    const errors = [...findings.flatMap(({ found }) => (found instanceof Error ? [found] : [])), ...needed];
    for (const error of [...errors, ...toRead]) expect(error).toMatchObject({ code: 'kafka-authorization' });
    return errors.map(({ message }) => message);
  }
}

describe('with the rights that the documentation lists, and no others', () => {
  test('files go through, each row exactly once, over TLS and as a user of each part', async () => {
    const secured = await SecuredWorld.open();
    const { world } = secured;
    const knownHosts = path.join(dir, `${world.id}.known_hosts`);
    writeFileSync(knownHosts, scanHostKeys(world.sshd.port, { hashed: true }));
    const keyFile = withPassphrase(world.sshd.privateKeyFile, PASSWORDS.passphrase, path.join(dir, `${world.id}.key`));
    const sftp = {
      SFTP_HOST_KEY: '',
      SFTP_KNOWN_HOSTS_FILE: knownHosts,
      SFTP_PRIVATE_KEY_FILE: keyFile,
      SFTP_PRIVATE_KEY_PASSPHRASE: PASSWORDS.passphrase,
    };
    const scenario = new Scenario(java, {}, world);
    const files = scenario.upload(3, 500);
    const [example] = files;
    if (!example) throw new Error('no file');
    const bad = { name: example.name.replace(/\.csv$/, '_bad.csv'), content: 'not,a,header\n1,2,3\n' };
    world.files.write(bad.name, bad.content, { atomic: true });
    giveReadOnly(world);
    const scanner = scenario.scanner({ ...secured.env('scanner', 'scram-sha-256'), ...sftp });
    const worker = scenario.worker({ ...secured.env('worker', 'scram-sha-512'), ...sftp });
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.untilJob(bad.name, 'to fail', (state) => state === 'failed');
    await scenario.expectExactly(files);

    const env = { ...secured.env('cli', 'plain'), ...sftp };
    const check = await secured.cli(['check'], env);
    expect(check.stdout).toMatch(/^all well$/m);
    expect(check.code).toBe(0);
    const commands = [
      ['audit', example.name],
      ['status'],
      ['retry', bad.name],
      ['rejects'],
      ['scan', '--dry-run'],
      ['show', example.name],
    ];
    for (const command of commands) {
      const { code, stderr } = await secured.cli(command, { ...env, STABLE_FOR_MS: '200' });
      expect({ command, code, stderr: code === 0 ? '' : stderr }).toEqual({ command, code: 0, stderr: '' });
    }
    await useDashboard({ ...secured.redisEnv(), REDIS_PREFIX: world.redisPrefix }, bad.name);
    const again = await secured.cli(['reingest', example.name, '--reason', 'a test'], env);
    expect({ code: again.code, stderr: again.stderr }).toEqual({ code: 0, stderr: '' });
    await pollUntil('the second generation', async () => (await scenario.known(example.name))?.generation === 2);
    await scenario.untilCommitted([example.name]);
    expect([await scanner.end(), await worker.end()]).toEqual([0, 0]);
    for (const app of [scanner, worker]) {
      expect(app.lines.filter(({ level, code }) => level === 'error' && code !== 'bad-header')).toEqual([]);
      expectNoSecretIn(outputOf(app));
    }
    // what the server refused, of any user: the dashboard's count of workers, as the documentation says
    const refusals = (await redis.admin.call('ACL', 'LOG')) as string[][];
    expect(refusals.map((fields) => fields[fields.indexOf('object') + 1])).toEqual(['client|list']);
  });

  test('a client certificate is a login of its own', async () => {
    const secured = await SecuredWorld.open();
    const { code, stdout } = await secured.cli(['check'], {
      ...secured.env('cli', 'plain'),
      ...secured.certificateEnv(),
    });
    // the worker's rights, who may not read rows
    expect(stdout).toMatch(
      /^warning +rights: .*\n +cdr audit and cdr rejects cannot read all topics: .*Read on topic/m,
    );
    expect(stdout).toMatch(/^all well$/m);
    expect(code).toBe(0);
  });
});

/** The directory and its files become somebody else's, whom everybody may read. */
function giveReadOnly({ files }: TestWorld): void {
  if (process.getuid?.() !== 0) return;
  for (const name of ['.', ...files.names()]) {
    chownSync(files.path(name), 0, 0);
    chmodSync(files.path(name), name === '.' ? 0o755 : 0o644);
  }
}

/** What an operator does with a dashboard, as far as it differs in what it asks of Redis. */
async function useDashboard(env: Record<string, string>, failed: string): Promise<void> {
  const login = { user: 'operator', password: newPassword() };
  const app = AppProcess.start('dashboard', {
    ...FAST,
    ...env,
    DASHBOARD_PORT: '0',
    DASHBOARD_PASSWORD: login.password,
  });
  const { dashboardPort } = await app.untilLine('its address', (line) => typeof line['dashboardPort'] === 'number');
  const operator = await new Dashboard(app, Number(dashboardPort)).as(login);
  const job = `/${encodeURIComponent(jobIdOf(failed))}`;
  const asked = [
    ['PUT', '/pause'],
    ['PUT', '/resume'],
    ['PUT', `${job}/retry`],
    ['GET', `${job}`],
    ['GET', `${job}/logs`],
  ] as const;
  for (const [method, route] of asked) expect((await operator.board(method, route)).status, route).toBeLessThan(300);
  for (const page of ['/', '/audit', '/queues/api/queues?activeQueue=cdr-files&status=failed&page=1&jobsPerPage=10'])
    expect((await operator.ask(page)).status, page).toBe(200);
  expect((await operator.ask('/audit')).text).toContain(failed);
  expect(await app.end()).toBe(0);
  expectNoSecretIn(outputOf(app));
}

describe('the Redis user that the documentation lists', () => {
  test('may do what the scripts of the queue do, and nothing to the server or to the keys of others', async () => {
    const secured = await SecuredWorld.open();
    const { id: user, redisPrefix } = secured.world;
    const mayRun = async (...command: string[]): Promise<boolean> =>
      (await redis.admin.call('ACL', 'DRYRUN', user, ...command)) === 'OK';
    const scripts = path.join(path.dirname(createRequire(import.meta.url).resolve('bullmq')), 'scripts');
    const root = path.join(import.meta.dirname, '../..');
    const files = [
      ...readdirSync(scripts).map((file) => path.join(scripts, file)),
      ...globSync('{packages,apps}/*/src/**/*.ts', { cwd: root }).map((file) => path.join(root, file)),
    ];
    const asked = files.flatMap((file) => [
      ...readFileSync(file, 'utf8').matchAll(/\b(?:rcall|redis\.p?call)\(\s*["'](\w+)["']|\bredis\s*\.([a-z]+)\(/g),
    ]);
    const commands = new Set(asked.map(([, script, client]) => (script ?? client ?? '').toLowerCase()));
    // of the client itself
    for (const method of ['connect', 'disconnect', 'duplicate', 'off', 'on', 'once', 'pipeline'])
      commands.delete(method);
    expect(commands.size).toBeGreaterThan(40);
    const rules = new Set(documentedRedisRules('x', 'x'));
    expect([...commands].filter((command) => !rules.has(`+${command}`))).toEqual([]);

    expect(await mayRun('HGET', `${redisPrefix}:ledger`, 'x')).toBe(true);
    const refused = [
      ['HGET', `${redisPrefix}x:ledger`, 'x'],
      ['DEL', 'other'],
      ['KEYS', '*'],
      ['SCAN', '0'],
      ['FLUSHALL'],
      ['FLUSHDB'],
      ['CONFIG', 'GET', 'requirepass'],
      ['ACL', 'LIST'],
      ['CLIENT', 'LIST'],
      ['MONITOR'],
      ['SHUTDOWN'],
      ['PUBLISH', 'x', 'y'],
      ['MIGRATE', '10.0.0.1', '6379', `${redisPrefix}:ledger`, '0', '1'],
    ];
    for (const command of refused) expect(await mayRun(...command), command.join(' ')).toBe(false);
  });
});

describe('a missing Kafka right', () => {
  test('of a worker is named, each single one of the list: none is there for nothing', async () => {
    const secured = await SecuredWorld.open();
    expect(await secured.lacking('worker')).toEqual([]);
    const rights = secured.rightsOf('worker');
    expect(rights).toHaveLength(10);
    for (const right of rights) {
      await kafka.revoke('worker', [right]);
      const missing = await pollUntil(`${right.operation} to be gone`, async () => {
        const found = await secured.lacking('worker');
        return found.length > 0 ? found : undefined;
      });
      expect(missing.join('\n')).toContain(lackOf(right, rights));
      await kafka.grant('worker', [right]);
      await pollUntil(`${right.operation} to be back`, async () => (await secured.lacking('worker')).length === 0);
    }
  });

  test('holds the file, says which one, and the file goes in once it is granted', async () => {
    const secured = await SecuredWorld.open();
    const { world } = secured;
    const right: KafkaRight = { operation: 'Write', on: 'topic', name: world.topics.data };
    await kafka.grant('worker', [{ ...right, operation: 'Describe' }]);
    await kafka.revoke('worker', [right]);
    const scenario = new Scenario(java, {}, world);
    const files = scenario.upload(2, 50).filter(({ name }) => name.startsWith('cdr_data'));
    expect(files.length).toBeGreaterThan(0);
    scenario.scanner(secured.env('scanner', 'scram-sha-256'));
    const worker = scenario.worker(secured.env('worker', 'scram-sha-256'));
    const line = await worker.untilMessage(/^Kafka cannot be used as it is, waiting for it: /);
    expect(line).toMatchObject({ level: 'error', code: 'kafka-authorization' });
    expect(line.msg).toContain(`the Kafka user lacks Write on topic ${world.topics.data}. Grant it to the Kafka user`);
    await kafka.grant('worker', [right]);
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.expectExactly(
      scenario.world.files.names().map((name) => ({ name, content: world.files.read(name) })),
    );
    for (const { name } of files) expect((await scenario.job(name))?.attemptsMade).toBe(1);
  });

  test('to create the topics, or to see them, is named', async () => {
    const secured = new SecuredWorld();
    const { voice, data, rejects, ledger } = secured.world.topics;
    const create = async (): Promise<unknown> =>
      ensureTopics(secured.settings('cli'), secured.topics).then(
        (reports) => reports.map(({ created }) => created),
        (error: unknown) => error,
      );
    const refused = await create();
    expect(errorCodeOf(refused)).toBe('kafka-authorization');
    expect(String(refused)).toMatch(
      /lacks Describe on topic \S+ \(Write and Read include it\), or Create, if it does not exist/,
    );
    expect(await secured.lacking('cli')).toContain(`topic ${voice}: ${lackingDescribe(voice)}`);

    await secured.grantAll();
    const creating = [data, voice, rejects, ledger].map((name): KafkaRight => ({
      operation: 'Create',
      on: 'topic',
      name,
    }));
    await kafka.grant('cli', creating);
    expect(await pollUntil('the topics', async () => arrayOf(await create()))).toEqual([true, true, true, true]);
  });
});

describe('cdr check says what is wrong, and exits with 1', () => {
  type Change = (secured: SecuredWorld) => Record<string, string>;
  const cases: [string, Change, RegExp, RegExp, RegExp?][] = [
    [
      'passwords that are wrong',
      ({ world }) => ({
        SFTP_PASSWORD: 'wrong',
        KAFKA_SASL_PASSWORD: 'wrong',
        REDIS_URL: redis.url(world.id, 'wrong'),
      }),
      /^FAILED +kafka: .*SASL SCRAM SHA256 authentication failed.*Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME/m,
      /^FAILED +redis: .*WRONGPASS.*Check the user and password in REDIS_URL/m,
      /^FAILED +sftp: .*refuses the login of .*Check SFTP_USER and SFTP_PASSWORD/m,
    ],
    [
      'another certificate authority',
      () => ({ KAFKA_TLS_CA_FILE: stranger.caFile, REDIS_TLS_CA_FILE: stranger.caFile }),
      /^FAILED +kafka: .*certificate.*KAFKA_TLS_CA_FILE must be the authority that signed it/m,
      /^FAILED +redis: .*certificate.*REDIS_TLS_CA_FILE must be the authority that signed it/m,
    ],
    [
      'no client certificate where one is wanted',
      (secured) => ({ ...secured.certificateEnv(), KAFKA_TLS_CERT_FILE: '', KAFKA_TLS_KEY_FILE: '' }),
      /^FAILED +kafka: .*KAFKA_TLS_CERT_FILE/m,
      /^ok +redis: /m,
    ],
    [
      "a client certificate of somebody else's authority",
      (secured) => ({
        ...secured.certificateEnv(),
        KAFKA_TLS_CERT_FILE: strangersCertificate.certFile,
        KAFKA_TLS_KEY_FILE: strangersCertificate.keyFile,
      }),
      /^FAILED +kafka: .*KAFKA_TLS_CERT_FILE/m,
      /^ok +redis: /m,
    ],
    [
      'TLS where there is none',
      ({ world }) => ({
        KAFKA_BROKERS: kafka.adminBrokers,
        REDIS_URL: redis.adminUrl.replace('redis://', `rediss://${world.id}:${PASSWORDS.redis}@`),
      }),
      /^FAILED +kafka: .*speaks no TLS/m,
      /^FAILED +redis: .*with TLS it is rediss:\/\/, without redis:/m,
    ],
    [
      'no TLS where there is',
      ({ world }) => ({
        KAFKA_TLS: 'false',
        KAFKA_TLS_CA_FILE: '',
        REDIS_URL: redis.url(world.id, PASSWORDS.redis).replace('rediss:', 'redis:'),
        REDIS_TLS_CA_FILE: '',
      }),
      /^FAILED +kafka: .*wants TLS \(KAFKA_TLS\)/m,
      /^FAILED +redis: .*with TLS it is rediss:/m,
    ],
  ];

  test('wrong passwords, a strange authority, no client certificate or a strange one, TLS against plain and plain against TLS', async () => {
    const secured = await SecuredWorld.open();
    // several at a time, since a broker that closes the connection is asked again for seconds
    await inParallel(cases, 3, async ([name, change, kafkaLine, redisLine, sftpLine = /^ok +sftp: /m]) => {
      const env = { ...secured.env('worker', 'scram-sha-256'), ...change(secured) };
      const { code, stdout } = await secured.cli(['check'], env);
      expect(stdout, name).toMatch(kafkaLine);
      expect(stdout, name).toMatch(redisLine);
      expect(stdout, name).toMatch(sftpLine);
      expect(code, name).toBe(1);
    });
  });

  test('rights that are missing in Redis and in Kafka', async () => {
    const secured = await SecuredWorld.open();
    await redis.admin.call('ACL', 'SETUSER', secured.world.id, '-time');
    const { data, ledger } = secured.world.topics;
    await kafka.grant('worker', [{ operation: 'Describe', on: 'topic', name: data }]);
    await kafka.revoke('worker', [
      { operation: 'Write', on: 'topic', name: data },
      { operation: 'Read', on: 'topic', name: ledger },
    ]);
    const { code, stdout } = await secured.cli(['check'], secured.env('worker', 'scram-sha-512'));
    expect(stdout).toMatch(/^FAILED +redis: .*NOPERM.*'time' command.*ACL LOG/m);
    expect(stdout).toMatch(new RegExp(`^FAILED +rights: .*Write on topic ${data}`, 'm'));
    expect(stdout).toMatch(new RegExp(`^FAILED +rights: .*Read on topic ${ledger}`, 'm'));
    expect(code).toBe(1);
    await redis.admin.call('ACL', 'LOG', 'RESET');
  });

  test('a Redis that wants a client certificate, and one with a password for everybody', async () => {
    const secured = await SecuredWorld.open();
    onTestFinished(async () => {
      await redis.admin.config('SET', 'tls-auth-clients', 'no');
      await redis.admin.config('SET', 'requirepass', '');
    });
    await redis.admin.config('SET', 'tls-auth-clients', 'yes');
    await redis.admin.config('SET', 'requirepass', PASSWORDS.redis);
    const env = { ...secured.env('cli', 'plain'), REDIS_URL: redis.url('', PASSWORDS.redis) };
    const refused = await secured.cli(['check'], env);
    expect(refused.stdout).toMatch(/^FAILED +redis: .*REDIS_TLS_CERT_FILE/m);
    const { certFile, keyFile } = workerCertificate;
    const certificate = { REDIS_TLS_CERT_FILE: certFile, REDIS_TLS_KEY_FILE: keyFile };
    const { stdout } = await secured.cli(['check'], { ...env, ...certificate });
    expect(stdout).toMatch(/^all well$/m);
    const withoutPassword = await secured.cli(['check'], { ...env, ...certificate, REDIS_URL: redis.url('', '') });
    expect(withoutPassword.stdout).toMatch(/^FAILED +redis: .*NOAUTH.*Check the user and password in REDIS_URL/m);
  });
});

test('logins that are refused are errors in the log of the apps, without the passwords', async () => {
  const secured = await SecuredWorld.open();
  const scenario = new Scenario(java, {}, secured.world);
  // the password of somebody else, so that a leak would be seen
  const wrong = { KAFKA_SASL_PASSWORD: PASSWORDS.cli, REDIS_URL: redis.url(secured.world.id, PASSWORDS.cli) };
  const apps = [
    scenario.scanner({ ...secured.env('scanner', 'scram-sha-512'), ...wrong }),
    scenario.worker({ ...secured.env('worker', 'plain'), ...wrong }),
  ];
  for (const app of apps) {
    const ofKafka = await app.untilMessage(/^Kafka cannot be used as it is, waiting for it: .*Check KAFKA_SASL_/);
    const ofRedis = await app.untilMessage(/^Redis cannot be used as it is, waiting for it: .*WRONGPASS/);
    expect([ofKafka, ofRedis]).toMatchObject([
      { level: 'error', code: 'kafka-auth' },
      { level: 'error', code: 'redis-auth' },
    ]);
    const ready = await fetch(`${await app.healthUrl()}/readyz`);
    expect(ready.status).toBe(503);
    expectNoSecretIn(await ready.text());
    expect(await app.end()).toBe(0);
    expectNoSecretIn(outputOf(app));
  }
});

/** How a right that was taken away is named. */
function lackOf({ operation, on, name }: KafkaRight, rights: readonly KafkaRight[]): string {
  if (on === 'transactional id') return `(on the prefix ${name})`;
  const others = rights.filter((right) => right.name === name && right.operation !== operation);
  const seen = others.some((right) => right.operation === 'Write' || right.operation === 'Read');
  return seen ? `the Kafka user lacks ${operation} on topic ${name}` : lackingDescribe(name);
}

/** Whoever may write or read may also see: without the former the latter is missing too. */
function lackingDescribe(topic: string): string {
  return `the Kafka user lacks Describe on topic ${topic} (Write and Read include it)`;
}

function arrayOf(value: unknown): unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}
