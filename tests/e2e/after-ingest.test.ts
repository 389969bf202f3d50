import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();

/** A scenario whose files are scanned in one directory and moved to the one beside it. */
function movingScenario(): Scenario {
  const scenario = new Scenario(java);
  scenario.world.files.makeDirectory('in');
  return scenario;
}

describe('AFTER_INGEST', () => {
  test('delete: what is committed is deleted, and nothing else', async () => {
    const scenario = new Scenario(java, { AFTER_INGEST: 'delete' });
    const files = scenario.upload(4, 100);
    scenario.world.files.write('readme.txt', 'stays');
    scenario.scanner();
    scenario.worker();
    await pollUntil('the files to be gone', () => scenario.world.files.names().length === 1);
    expect(scenario.world.files.names()).toEqual(['readme.txt']);
    await scenario.expectExactly(files);
  });

  test('delete, the worker killed before it did: the next one does, each row once', async () => {
    const scenario = new Scenario(java, { AFTER_INGEST: 'delete' });
    const [file] = scenario.upload(1, 100);
    if (!file) throw new Error('no file');
    scenario.scanner();
    const doomed = scenario.faultyWorker('before-after-ingest:kill');
    await doomed.untilFault();
    await doomed.ended();
    expect(scenario.world.files.names()).toEqual([file.name]);
    scenario.worker();
    await pollUntil('the file to be gone', () => scenario.world.files.names().length === 0);
    await scenario.expectExactly([file]);
  });

  test('move: to a directory that is made, numbered where the name is taken, never over a file', async () => {
    const scenario = movingScenario();
    const { files, env } = scenario.world;
    const base = env['SFTP_REMOTE_PATH'] ?? '';
    const settings = { SFTP_REMOTE_PATH: `${base}/in`, AFTER_INGEST: `move:${base}/done` };
    const name = 'cdr_voice_20240101_000000.csv';
    const header = 'msisdn,tower_id,call_type,dest_nr,call_duration_sec,start_time';
    files.write(`in/${name}`, `${header}\r\n`);
    const worker = scenario.worker(settings);
    await worker.untilMessage(/^worker ready/);
    files.write(`done/${name}`, 'there before');
    scenario.scanner(settings);
    await pollUntil('the file to be moved', () => files.exists(`done/${name}.1`));
    expect(files.exists(`in/${name}`)).toBe(false);
    expect(files.read(`done/${name}`)).toBe('there before');
    expect(files.read(`done/${name}.1`)).toBe(`${header}\r\n`);
  });

  test('move to a directory that has vanished: said so, kept, and done when it is back', async () => {
    const scenario = movingScenario();
    const { files, env } = scenario.world;
    const base = env['SFTP_REMOTE_PATH'] ?? '';
    const settings = { SFTP_REMOTE_PATH: `${base}/in`, AFTER_INGEST: `move:${base}/done` };
    const worker = scenario.worker(settings);
    await worker.untilMessage(/^worker ready/);
    rmSync(files.path('done'), { recursive: true });
    const name = 'cdr_voice_20240101_000000.csv';
    files.write(`in/${name}`, 'msisdn,tower_id,call_type,dest_nr,call_duration_sec,start_time\r\n');
    scenario.scanner(settings);
    await worker.untilMessage(/the file is ingested, but cannot be moved to \S+: there is no such directory/);
    expect(files.exists(`in/${name}`)).toBe(true);
    files.makeDirectory('done');
    await pollUntil('the file to be moved', () => files.exists(`done/${name}`));
    await scenario.untilJob(name, 'to be completed', (state) => state === 'completed');
  });
});
