import { describe, expect, test } from 'vitest';
import { CliScenario, type Json, withAdmin } from '../support/cli-scenario.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';

const java = useJavaConsumer();

describe('check and topics', () => {
  test('what is missing is named with what to do; topics creates it; then all is well', async () => {
    const scenario = new CliScenario(java);
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
    const scenario = new CliScenario(java, { SFTP_PORT: '1', TOPIC_PARTITIONS: 'many' });
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
    const scenario = new CliScenario(java);
    const text = await scenario.text(['check', '--protocol']);
    expect(text.match(/^ok {6}/gm)).toHaveLength(7);
    expect(text).toContain('ok      a fence refuses the commit of the earlier producer: ');
    expect(text).toMatch(/the cluster keeps what the protocol rests on\n$/);
    const left = await withAdmin(scenario, (admin) => admin.listTopics());
    expect(left.filter((topic) => topic.startsWith(`${scenario.world.topics.ledger}-check-`))).toEqual([]);
  });
});
