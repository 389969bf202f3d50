import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { runCli, startCli } from '../support/cli.ts';
import { CliScenario } from '../support/cli-scenario.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';

const java = useJavaConsumer();

describe('when something is wrong', () => {
  test('it is said in one line, with an exit code of its own', async () => {
    const scenario = new CliScenario(java);
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
    const scenario = new CliScenario(java);
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
    const scenario = new CliScenario(java);
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
