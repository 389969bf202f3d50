import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Redis as RedisClient } from 'ioredis';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { TestWorld } from '../support/test-world.ts';

const run = promisify(execFile);

describe('sshd', () => {
  test('lets the user in by key, who sees and may delete what a test has written', async () => {
    const world = new TestWorld();
    world.files.write('a.csv', 'x\n', { atomic: true, mtimeMs: Date.UTC(2024, 0, 1) });
    expect(await sftp(world, `ls ${world.env.SFTP_REMOTE_PATH}`)).toContain('a.csv');
    await sftp(world, `rm ${world.env.SFTP_REMOTE_PATH}/a.csv`);
    expect(world.files.names()).toEqual([]);
  });

  test('comes back on its port after a crash', async () => {
    const world = new TestWorld();
    await world.sshd.kill();
    await expect(sftp(world, 'pwd')).rejects.toThrow();
    await world.sshd.restart();
    expect(await sftp(world, 'pwd')).toContain('/');
  });
});

describe('Redis', () => {
  test('keeps its data over a restart, and goes back to an older snapshot', async () => {
    const world = new TestWorld();
    const client = connectRedis(world);
    const folder = temporaryFolder();

    await client.set(`${world.id}:a`, 'old');
    await world.redis.snapshot(path.join(folder, 'snapshot'));
    await client.set(`${world.id}:a`, 'new');
    await client.set(`${world.id}:b`, 'new');

    await world.redis.restart();
    expect(await client.mget(`${world.id}:a`, `${world.id}:b`)).toEqual(['new', 'new']);

    await world.redis.restore(path.join(folder, 'snapshot'));
    expect(await client.mget(`${world.id}:a`, `${world.id}:b`)).toEqual(['old', null]);
  });

  test('comes back on its port after a crash', async () => {
    const world = new TestWorld();
    const client = connectRedis(world);
    await world.redis.kill();
    await world.redis.restart();
    expect(await client.ping()).toBe('PONG');
  });

  test('refuses to forget: it is set up as the ingester asks for', async () => {
    const client = connectRedis(new TestWorld());
    expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
  });
});

describe("Kafka and Java's consumer", () => {
  const java = useJavaConsumer();

  test('committed messages are counted and aborted ones are not', async () => {
    const world = new TestWorld();
    const producer = await transactionalProducer(world);
    await inTransaction(producer, 'commit', world.topics.data, ['1', '2']);
    await inTransaction(producer, 'abort', world.topics.data, ['3', '4']);
    await inTransaction(producer, 'commit', world.topics.data, ['5 "quoted" \u2028\n é']);

    expect(await java.count(world.topics.data)).toBe(3);
    const messages = await java.read(world.topics.data);
    expect(messages.map((message) => message.value).sort()).toEqual(['1', '2', '5 "quoted" \u2028\n é']);
    expect(messages[0]).toMatchObject({ topic: world.topics.data, key: 'k', timestamp: expect.any(Number) as number });
  });

  test('a topic that is empty has no messages, and one that is not there is an error', async () => {
    const world = new TestWorld();
    await transactionalProducer(world);
    expect(await java.count(world.topics.data)).toBe(0);
    await expect(java.count(`${world.id}-nowhere`)).rejects.toThrow(/UnknownTopicOrPartition/);
  });

  test('a transaction that stays open is an error, and its messages count once it is committed', async () => {
    const world = new TestWorld();
    const producer = await transactionalProducer(world);
    const transaction = await producer.transaction();
    await transaction.send({ topic: world.topics.data, messages: [{ key: 'k', value: '1' }] });
    await expect(java.count(world.topics.data, 1_000)).rejects.toThrow(/transactions stay open/);
    await transaction.commit();
    expect(await java.count(world.topics.data)).toBe(1);
  });

  test('a broker that does not answer is an error and no empty topic', async () => {
    const world = new TestWorld();
    await inTransaction(await transactionalProducer(world), 'commit', world.topics.data, ['1']);
    world.kafka.broker(1).signal('SIGSTOP');
    try {
      await expect(java.count(world.topics.data, 1_000)).rejects.toThrow(/Timeout/);
    } finally {
      world.kafka.broker(1).signal('SIGCONT');
    }
    expect(await java.count(world.topics.data)).toBe(1);
  });

  test('a broker comes back on its port with its data', async () => {
    const world = new TestWorld();
    await inTransaction(await transactionalProducer(world), 'commit', world.topics.data, ['1']);
    await world.kafka.broker(1).stop();
    await world.kafka.restartBroker(1);
    expect(await java.count(world.topics.data)).toBe(1);
  });
});

async function sftp({ env, sshd }: TestWorld, command: string): Promise<string> {
  const options = ['IdentitiesOnly=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  const args = [
    '-b',
    '-',
    '-P',
    String(sshd.port),
    '-i',
    sshd.privateKeyFile,
    ...options.flatMap((option) => ['-o', option]),
  ];
  const child = run('sftp', [...args, `${sshd.user}@${env.SFTP_HOST}`]);
  child.child.stdin?.end(`${command}\n`);
  return (await child).stdout;
}

function connectRedis(world: TestWorld): RedisClient {
  const client = new RedisClient(world.redisUrl, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

async function transactionalProducer(world: TestWorld): Promise<Producer> {
  const kafka = new Kafka({ brokers: world.brokers, logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: world.topics.data, numPartitions: 3 }], waitForLeaders: true });
  await admin.disconnect();
  const producer = kafka.producer({ transactionalId: world.id, maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  return producer;
}

async function inTransaction(
  producer: Producer,
  end: 'commit' | 'abort',
  topic: string,
  values: string[],
): Promise<void> {
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: values.map((value) => ({ key: 'k', value })) });
  await transaction[end]();
}

function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'dev-services-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
