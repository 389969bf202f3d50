import { changeEntry } from '@cdr/ledger/change-entry';
import { describe, expect, test } from 'vitest';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { openLedger } from '../support/open-ledger.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();

describe('a file that an operator wants again', () => {
  // each is in the second transaction or behind it, so that there is an entry to ask by
  test.each(['streamed:freeze:5', 'before-ledger:freeze:2', 'after-ledger:freeze:2', 'before-commit:freeze:2'])(
    'asked for while it is ingested (%s): finished once, then ingested once more',
    async (fault) => {
      const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '4000' });
      const file = scenario.uploadLarge(15_000);
      scenario.scanner();
      const worker = scenario.faultyWorker(fault);
      await worker.untilFault();
      await request(scenario, file.name);
      worker.signal('SIGCONT');
      await untilGeneration(scenario, file.name, 2);
      await scenario.untilCompleted(file.name);
      await scenario.expectExactly([file, file]);
      expect((await scenario.ledger()).get(file.name)).toMatchObject({ generation: 2, rows: 15_000 });
    },
  );

  test.each(['committed', 'projected'])('asked for between commit and completion (%s)', async (point) => {
    const scenario = new Scenario(java);
    const file = scenario.uploadLarge(3_000);
    scenario.scanner();
    const worker = scenario.faultyWorker(`${point}:freeze`);
    await worker.untilFault();
    await request(scenario, file.name);
    worker.signal('SIGCONT');
    await untilGeneration(scenario, file.name, 2);
    await scenario.expectExactly([file, file]);
  });

  test('asked for by ten operators at a time, and all workers killed in the second generation: once more, once', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '4000' });
    const file = scenario.uploadLarge(9_000);
    scenario.scanner();
    const first = scenario.worker();
    await scenario.untilCompleted(file.name);
    await first.end();
    await Promise.all(Array.from({ length: 10 }, () => request(scenario, file.name)));
    const doomed = scenario.faultyWorker('before-commit:kill:2');
    await doomed.untilFault();
    await scenario.flushRedis();
    scenario.worker();
    await untilGeneration(scenario, file.name, 2);
    await scenario.expectExactly([file, file]);
  });
});

/** What `cdr reingest` writes. */
async function request(scenario: Scenario, file: string): Promise<void> {
  await changeEntry(
    file,
    (entry) =>
      !entry || entry.requested
        ? undefined
        : { ...entry, requested: { generation: entry.generation + 1, by: 'test', reason: 'test', at: '' } },
    await openLedger(scenario.world),
  );
}

async function untilGeneration(scenario: Scenario, file: string, generation: number): Promise<void> {
  await pollUntil(
    `generation ${generation} of ${file}`,
    async () => {
      const record = await scenario.known(file);
      return record?.generation === generation && record.state === 'committed';
    },
    { deadlineMs: 90_000 },
  );
}
