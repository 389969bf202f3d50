import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { jobIdOf } from '@cdr/core/job-id';
import { describe, expect, test } from 'vitest';
import { AppProcess, FAST } from '../support/app-process.ts';
import { Dashboard } from '../support/dashboard-client.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { scanHostKeys, withPassphrase } from '../support/other-sshd.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';
import {
  expectNoSecretIn,
  newPassword,
  outputOf,
  PASSWORDS,
  SecuredWorld,
  useSecuredServices,
} from '../support/secured-world.ts';
import type { TestWorld } from '../support/test-world.ts';

const services = useSecuredServices();
const java = useJavaConsumer(() => services().kafka.adminBrokers);

describe('with the rights that the documentation lists, and no others', () => {
  test('files go through, each row exactly once, over TLS and as a user of each part', async () => {
    const secured = await SecuredWorld.open(services());
    const { world } = secured;
    const knownHosts = path.join(services().dir, `${world.id}.known_hosts`);
    writeFileSync(knownHosts, scanHostKeys(world.sshd.port, { hashed: true }));
    const keyFile = withPassphrase(
      world.sshd.privateKeyFile,
      PASSWORDS.passphrase,
      path.join(services().dir, `${world.id}.key`),
    );
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
    const refusals = (await services().redis.admin.call('ACL', 'LOG')) as string[][];
    expect(refusals.map((fields) => fields[fields.indexOf('object') + 1])).toEqual(['client|list']);
  });

  test('a client certificate is a login of its own', async () => {
    const secured = await SecuredWorld.open(services());
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

test('logins that are refused are errors in the log of the apps, without the passwords', async () => {
  const secured = await SecuredWorld.open(services());
  const scenario = new Scenario(java, {}, secured.world);
  // the password of somebody else, so that a leak would be seen
  const wrong = {
    KAFKA_SASL_PASSWORD: PASSWORDS.cli,
    REDIS_URL: services().redis.url(secured.world.id, PASSWORDS.cli),
  };
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
