import { globSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { errorCodeOf } from '@cdr/core/errors';
import { ensureTopics } from '@cdr/kafka/topics';
import { describe, expect, test } from 'vitest';
import { documentedRedisRules } from '../support/documented-rights.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';
import type { KafkaRight } from '../support/secured-kafka.ts';
import { SecuredWorld, useSecuredServices } from '../support/secured-world.ts';

const services = useSecuredServices();
const java = useJavaConsumer(() => services().kafka.adminBrokers);

describe('the Redis user that the documentation lists', () => {
  test('may do what the scripts of the queue do, and nothing to the server or to the keys of others', async () => {
    const secured = await SecuredWorld.open(services());
    const { id: user, redisPrefix } = secured.world;
    const mayRun = async (...command: string[]): Promise<boolean> =>
      (await services().redis.admin.call('ACL', 'DRYRUN', user, ...command)) === 'OK';
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
    const secured = await SecuredWorld.open(services());
    expect(await secured.lacking('worker')).toEqual([]);
    const rights = secured.rightsOf('worker');
    expect(rights).toHaveLength(10);
    for (const right of rights) {
      await services().kafka.revoke('worker', [right]);
      const missing = await pollUntil(`${right.operation} to be gone`, async () => {
        const found = await secured.lacking('worker');
        return found.length > 0 ? found : undefined;
      });
      expect(missing.join('\n')).toContain(lackOf(right, rights));
      await services().kafka.grant('worker', [right]);
      await pollUntil(`${right.operation} to be back`, async () => (await secured.lacking('worker')).length === 0);
    }
  });

  test('holds the file, says which one, and the file goes in once it is granted', async () => {
    const secured = await SecuredWorld.open(services());
    const { world } = secured;
    const right: KafkaRight = { operation: 'Write', on: 'topic', name: world.topics.data };
    await services().kafka.grant('worker', [{ ...right, operation: 'Describe' }]);
    await services().kafka.revoke('worker', [right]);
    const scenario = new Scenario(java, {}, world);
    const files = scenario.upload(2, 50).filter(({ name }) => name.startsWith('cdr_data'));
    expect(files.length).toBeGreaterThan(0);
    scenario.scanner(secured.env('scanner', 'scram-sha-256'));
    const worker = scenario.worker(secured.env('worker', 'scram-sha-256'));
    const line = await worker.untilMessage(/^Kafka cannot be used as it is, waiting for it: /);
    expect(line).toMatchObject({ level: 'error', code: 'kafka-authorization' });
    expect(line.msg).toContain(`the Kafka user lacks Write on topic ${world.topics.data}. Grant it to the Kafka user`);
    await services().kafka.grant('worker', [right]);
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.expectExactly(
      scenario.world.files.names().map((name) => ({ name, content: world.files.read(name) })),
    );
    for (const { name } of files) expect((await scenario.job(name))?.attemptsMade).toBe(1);
  });

  test('to create the topics, or to see them, is named', async () => {
    const secured = new SecuredWorld(services());
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
    await services().kafka.grant('cli', creating);
    expect(await pollUntil('the topics', async () => arrayOf(await create()))).toEqual([true, true, true, true]);
  });
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
