import { hostname, userInfo } from 'node:os';
import { jobIdOf } from '@cdr/core/job-id';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AppProcess, FAST } from '../support/app-process.ts';
import { runCli } from '../support/cli.ts';
import { CliScenario, localFile } from '../support/cli-scenario.ts';
import { Dashboard, OPERATOR } from '../support/dashboard-client.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';

const java = useJavaConsumer();

describe('failed jobs', () => {
  test('are shown with their reason and retried anew, oldest first', async () => {
    const scenario = new CliScenario(java);
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
    const scenario = new CliScenario(java);
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
