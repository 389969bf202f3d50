import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { generateCdrFiles } from '@cdr/core/generate-cdr';
import { jobIdOf } from '@cdr/core/job-id';
import { expect, onTestFinished, test } from 'vitest';
import { HOSTILE_NAMES } from '../support/hostile-names.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();

test('files with hostile names are ingested exactly once, under the job that their name gives', async () => {
  const scenario = new Scenario(java);
  const contents = [...generateCdrFiles({ files: HOSTILE_NAMES.length, rowsPerFile: 5, seed: 4 })];
  const files = contents.map(({ feed, content }, i) => ({ name: `cdr_${feed}_${HOSTILE_NAMES[i]}.csv`, content }));
  for (const { name, content } of files) scenario.world.files.write(name, content);
  expect(scenario.world.files.names()).toEqual(files.map(({ name }) => name).toSorted());

  const scanner = scenario.scanner();
  const worker = scenario.worker();
  await scenario.untilCommitted(files.map(({ name }) => name));
  await scenario.expectExactly(files);
  for (const { name } of files) expect((await scenario.untilCompleted(name)).id).toBe(jobIdOf(name));
  await scanner.untilScans(2);
  expect(await worker.metric('cdr_worker_files_total')).toBe(files.length);
  // a line of the log is a line, whatever the name has in it
  expect([...scanner.other, ...worker.other]).toEqual([]);
});

test('a name that is not UTF-8 is reported and left alone, and the files beside it are not', async () => {
  const scenario = new Scenario(java);
  const [file] = scenario.upload(1, 20);
  if (!file) throw new Error('no file');
  const name = Buffer.concat([
    Buffer.from(`${scenario.world.files.path('.')}${path.sep}cdr_data_caf`),
    Buffer.from([0xe9]),
    Buffer.from('.csv'),
  ]);
  writeFileSync(name, file.content);
  onTestFinished(() => rmSync(name));

  const scanner = scenario.scanner();
  const worker = scenario.worker();
  const line = await scanner.untilMessage(/^1 files have names that are not UTF-8 and cannot be read: rename them/);
  expect(line).toMatchObject({ level: 'warn', examples: ['cdr_data_caf\ufffd.csv'] });
  await scanner.untilMessage(/^Found 1 CDR files: .* 1 of no feed$/);
  await scenario.untilCommitted([file.name]);
  await scanner.untilScans(2);
  await scenario.expectExactly([file]);
  expect(await scenario.job('cdr_data_caf\ufffd.csv')).toBeUndefined();
  expect(await worker.metric('cdr_worker_attempt_errors_total')).toBe(0);
});
