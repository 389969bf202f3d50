import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();

function moveTo(scenario: Scenario): { done: string; env: Record<string, string> } {
  const done = `${scenario.world.id}-done`;
  return { done, env: { AFTER_INGEST: `move:${path.posix.join(path.posix.dirname(scenario.remotePath), done)}` } };
}

describe('AFTER_INGEST', () => {
  test('move onto a name that is taken: numbered, nothing overwritten', async () => {
    const scenario = new Scenario(java);
    const { done, env } = moveTo(scenario);
    const file = scenario.uploadLarge(100);
    scenario.world.files.makeDirectory(`../${done}`);
    scenario.world.files.write(`../${done}/${file.name}`, 'an older file');
    scenario.world.files.write(`../${done}/${file.name}.1`, 'and one more');
    scenario.scanner();
    scenario.worker(env);
    await scenario.untilCompleted(file.name);
    expect(scenario.world.files.names(`../${done}`)).toEqual([file.name, `${file.name}.1`, `${file.name}.2`]);
    expect(scenario.world.files.read(`../${done}/${file.name}`)).toBe('an older file');
    expect(scenario.world.files.read(`../${done}/${file.name}.1`)).toBe('and one more');
    expect(scenario.world.files.read(`../${done}/${file.name}.2`)).toBe(file.content.toString());
    await scenario.expectExactly([file]);
  });

  test.each(['delete', 'move'])('%s: never before the commit is known, though it has happened', async (kind) => {
    const scenario = new Scenario(java);
    const { env } = kind === 'delete' ? { env: { AFTER_INGEST: 'delete' } } : moveTo(scenario);
    const file = scenario.uploadLarge(9_000);
    const proxy = await scenario.kafkaProxy();
    const fault = proxy.next('endTxn', 'silence');
    const scanner = scenario.scanner();
    const worker = scenario.worker({ ...env, KAFKA_BROKERS: proxy.brokers });
    await fault.untilHappened();
    await scanner.untilScans(2);
    expect(scenario.world.files.names()).toEqual([file.name]);
    await worker.kill();
    scenario.worker(env);
    await scenario.untilCompleted(file.name);
    expect(scenario.world.files.names()).toEqual([]);
    await scenario.expectExactly([file]);
  });

  test.each(['before-commit', 'committed', 'before-after-ingest', 'after-after-ingest'])(
    'delete: killed at %s, the file is ingested once and deleted once',
    async (point) => {
      const scenario = new Scenario(java, { AFTER_INGEST: 'delete' });
      const file = scenario.uploadLarge(3_000);
      scenario.scanner();
      const doomed = scenario.faultyWorker(`${point}:kill`);
      await doomed.untilFault();
      expect(scenario.world.files.exists(file.name)).toBe(point !== 'after-after-ingest');
      scenario.worker();
      await scenario.untilCompleted(file.name);
      expect(scenario.world.files.names()).toEqual([]);
      await scenario.expectExactly([file]);
    },
  );

  test('delete: a new upload under the name, between commit and deletion, stays and is looked at', async () => {
    const scenario = new Scenario(java, { AFTER_INGEST: 'delete' });
    const file = scenario.uploadLarge(3_000);
    const scanner = scenario.scanner();
    const frozen = scenario.faultyWorker('before-after-ingest:freeze');
    await frozen.untilFault();
    scenario.world.files.write(file.name, 'something else\r\n', { atomic: true });
    frozen.signal('SIGCONT');
    await frozen.untilMessage(/^Completed /);
    await scanner.untilScans(2);
    expect(scenario.world.files.read(file.name)).toBe('something else\r\n');
    await scenario.expectExactly([file]);
  });

  test('move into a directory that is taken away meanwhile: said and waited for, nothing is ingested twice', async () => {
    const scenario = new Scenario(java);
    const { done, env } = moveTo(scenario);
    const file = scenario.uploadLarge(3_000);
    scenario.scanner();
    const frozen = scenario.faultyWorker('before-after-ingest:freeze', env);
    await frozen.untilFault();
    scenario.world.files.remove(`../${done}`);
    frozen.signal('SIGCONT');
    await frozen.untilMessage(/the file is ingested, but cannot be moved/);
    scenario.world.files.makeDirectory(`../${done}`);
    await scenario.untilCompleted(file.name);
    expect(scenario.world.files.names(`../${done}`)).toEqual([file.name]);
    await scenario.expectExactly([file]);
  });
});
