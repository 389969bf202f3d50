import kafkajs from 'kafkajs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AppProcess, FAST } from '../support/app-process.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();
const UNREACHABLE = {
  SFTP_HOST: '127.0.0.1',
  SFTP_PORT: '9',
  SFTP_HOST_KEY: 'any',
  REDIS_URL: 'redis://:not-to-be-shown@127.0.0.1:9',
  KAFKA_BROKERS: '127.0.0.1:9',
};

describe('start', () => {
  test.each(['scanner', 'worker'] as const)(
    'the %s names every wrong variable at once and exits with 2',
    async (app) => {
      const started = AppProcess.start(app, {
        SFTP_PORT: 'ssh',
        SFTP_PASSWORD: 'not-to-be-shown',
        KAFKA_BROKERS: 'localhost',
        STABLE_FOR_MS: '-1',
        REDIS_URL: 'not-to-be-shown',
      });
      expect(await started.ended()).toBe(2);
      const output = started.other.join('\n');
      for (const name of ['SFTP_PORT', 'KAFKA_BROKERS', 'STABLE_FOR_MS', 'REDIS_URL', 'SFTP_HOST_KEY'])
        expect(output).toContain(name);
      expect(output).not.toContain('not-to-be-shown');
    },
  );

  test.each(['scanner', 'worker'] as const)(
    'the %s waits for everything that is away, and says for what',
    async (app) => {
      const started = AppProcess.start(app, { ...FAST, ...UNREACHABLE });
      for (const name of ['the SFTP server', 'Kafka', 'Redis'])
        await started.untilMessage(new RegExp(`^${name} is away, waiting for it: `));
      const url = await started.healthUrl();
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
      const ready = await fetch(`${url}/readyz`);
      expect(ready.status).toBe(503);
      const text = await ready.text();
      for (const name of ['sftp', 'kafka', 'redis']) expect(text).toContain(name);
      expect(text + JSON.stringify(started.lines)).not.toContain('not-to-be-shown');
      expect(await started.end('SIGTERM')).toBe(0);
    },
  );

  test('too few brokers for the replication wished for: said so, and what to do', async () => {
    const scenario = new Scenario(java, { TOPIC_REPLICATION: '3' });
    const scanner = scenario.scanner();
    await scanner.untilMessage(/3 replicas need as many brokers; the cluster has 1\. Set TOPIC_REPLICATION=1/);
  });

  test.each([
    [
      'several partitions',
      { numPartitions: 2, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] },
      /has 2 partitions/,
    ],
    [
      'a delete policy',
      { numPartitions: 1, configEntries: [{ name: 'cleanup.policy', value: 'delete' }] },
      /cleanup\.policy=delete/,
    ],
  ])('a ledger topic with %s is refused', async (_, topic, message) => {
    const scenario = new Scenario(java);
    const admin = new kafkajs.Kafka({ brokers: scenario.world.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    onTestFinished(() => admin.disconnect());
    await admin.createTopics({ topics: [{ topic: scenario.world.topics.ledger, replicationFactor: 1, ...topic }] });
    await scenario.worker().untilMessage(message);
  });
});

describe('outages: jobs are held, none fails, none spends an attempt', () => {
  test.each([
    // stopped, not killed: a lone broker that is killed may forget the marker of a commit that it has acknowledged
    ['Kafka', (s: Scenario) => s.world.kafka.broker(1).stop(), (s: Scenario) => s.world.kafka.restartBroker(1)],
    ['the SFTP server', (s: Scenario) => s.world.sshd.kill(), (s: Scenario) => s.world.sshd.restart()],
    ['Redis', (s: Scenario) => s.world.redis.kill(), (s: Scenario) => s.world.redis.restart()],
  ])('%s away in mid-ingest and back', async (name, kill, restart) => {
    const scenario = new Scenario(java, { JOB_LOCK_MS: '6000' });
    const files = scenario.upload(30, 1000);
    const scanner = scenario.scanner();
    await scanner.untilMessage(/30 enqueued/);
    const worker = scenario.faultyWorker('streamed:slow');
    await pollUntil('some files', async () => (await scenario.known(files[3]?.name ?? ''))?.state === 'committed');
    await kill(scenario);
    try {
      await worker.untilMessage(new RegExp(`^${name} is away|^Redis connection`), { deadlineMs: 90_000 });
    } finally {
      await restart(scenario);
    }
    await scenario.untilCommitted(
      files.map((file) => file.name),
      { deadlineMs: 90_000 },
    );
    await scenario.expectExactly(files);
    for (const { name: file } of files) {
      const job = await scenario.job(file);
      expect(job?.attemptsMade ?? 1).toBeLessThanOrEqual(1);
    }
    expect([...worker.lines, ...scanner.lines].filter(({ level }) => level === 'error')).toEqual([]);
  });
});
