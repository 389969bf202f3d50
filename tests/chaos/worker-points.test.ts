import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ATTEMPT_POINTS } from '../../apps/worker/src/attempt-points.ts';
import type { AppProcess } from '../support/app-process.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();
const ROWS = 9_000;
/** Three transactions a file. */
const SMALL_TRANSACTIONS = { TRANSACTION_MAX_RECORDS: '4000' };

/** Every point once, and those of a transaction again in the second one. */
const FAULTS = [
  ...ATTEMPT_POINTS.map((point) => [point, 1] as const),
  ...(['streamed', 'before-ledger', 'after-ledger', 'before-commit', 'committed'] as const).map(
    (point) => [point, 2] as const,
  ),
];

function withAfterIngest() {
  const scenario = new Scenario(java, SMALL_TRANSACTIONS);
  const done = `${scenario.world.id}-done`;
  return {
    scenario,
    done,
    env: { AFTER_INGEST: `move:${path.posix.join(path.posix.dirname(scenario.remotePath), done)}` },
  };
}

/** In whose hands a woken worker finds its file: another's, or nobody's because it is done. */
async function untilItLeaves(worker: AppProcess): Promise<void> {
  await worker.untilLine('that it has let the file go', ({ msg }) =>
    /the lock is not ours|nothing to do|^Completed /.test(msg ?? ''),
  );
}

describe.each(FAULTS)('at %s, time %i', (point, nth) => {
  test('killed: another takes the file over, each row once, the file moved once', async () => {
    const { scenario, done, env } = withAfterIngest();
    const file = scenario.uploadLarge(ROWS);
    const scanner = scenario.scanner();
    const doomed = scenario.faultyWorker(`${point}:kill:${nth}`, env);
    await doomed.untilFault();
    expect(await doomed.ended()).toBe('SIGKILL');
    scenario.worker(env);
    await scenario.untilCompleted(file.name);
    await scanner.untilScans(2);
    await scenario.expectExactly([file]);
    expect(scenario.world.files.names()).toEqual([]);
    expect(scenario.world.files.names(`../${done}`)).toEqual([file.name]);
  });

  test('frozen past its lock, woken when another has done the file: nothing changes', async () => {
    const { scenario, done, env } = withAfterIngest();
    const file = scenario.uploadLarge(ROWS);
    scenario.scanner();
    const frozen = scenario.faultyWorker(`${point}:freeze:${nth}`, env);
    await frozen.untilFault();
    scenario.worker(env);
    await scenario.untilCompleted(file.name);
    frozen.signal('SIGCONT');
    await untilItLeaves(frozen);
    await scenario.expectExactly([file]);
    expect(scenario.world.files.names()).toEqual([]);
    expect(scenario.world.files.names(`../${done}`)).toEqual([file.name]);
  });
});

describe('zombie and successor both alive', () => {
  test.each(['owned', 'fenced', 'asked', 'opened', 'streamed', 'before-ledger', 'after-ledger', 'before-commit'])(
    'woken from %s while the successor is in mid-file: they race, each row once',
    async (point) => {
      const scenario = new Scenario(java, SMALL_TRANSACTIONS);
      const file = scenario.uploadLarge(ROWS);
      scenario.scanner();
      const zombie = scenario.faultyWorker(`${point}:freeze`);
      await zombie.untilFault();
      const successor = scenario.faultyWorker('streamed:slow');
      await successor.untilFault();
      zombie.signal('SIGCONT');
      await scenario.untilCommitted([file.name]);
      await scenario.untilCompleted(file.name);
      await untilItLeaves(zombie);
      await scenario.expectExactly([file]);
      // a zombie that has lost its lock touches Kafka no more; only the one from `owned` has looked at its lock already
      const disturbed = successor.lines.filter(({ msg }) => /starting again/.test(msg ?? ''));
      if (point !== 'owned') expect(disturbed).toEqual([]);
    },
  );

  test.each(['after-ledger', 'before-commit'])('both frozen at %s and woken in one moment', async (point) => {
    const scenario = new Scenario(java);
    const file = scenario.uploadLarge(ROWS);
    scenario.scanner();
    const zombie = scenario.faultyWorker(`${point}:freeze`);
    await zombie.untilFault();
    const successor = scenario.faultyWorker(`${point}:freeze`);
    await successor.untilFault();
    const third = scenario.faultyWorker(`${point}:freeze`);
    await third.untilFault();
    for (const worker of [zombie, successor, third]) worker.signal('SIGCONT');
    await scenario.untilCompleted(file.name);
    for (const worker of [zombie, successor, third]) await untilItLeaves(worker);
    await scenario.expectExactly([file]);
  });

  test('a record that was undecided when the scanner caught up is not passed over', async () => {
    const scenario = new Scenario(java);
    const file = scenario.uploadLarge(ROWS);
    const scanner = scenario.scanner();
    // its ledger record waits for its commit, and after that nobody tells Redis
    const worker = scenario.faultyWorker('before-commit:freeze,committed:kill');
    await worker.untilFault();
    await scanner.untilScans(3);
    await scanner.end();
    worker.signal('SIGCONT');
    expect(await worker.ended()).toBe('SIGKILL');
    const successor = scenario.worker();
    await successor.untilMessage(/is in the ledger already: nothing to do/);
    await scenario.untilCompleted(file.name);
    await scenario.expectExactly([file]);
  });

  test('four workers in a row die in the same file, each a point later', async () => {
    const scenario = new Scenario(java, SMALL_TRANSACTIONS);
    const file = scenario.uploadLarge(ROWS);
    scenario.scanner();
    for (const fault of ['streamed:kill:2', 'before-commit:kill:1', 'committed:kill:1', 'after-ledger:kill:1']) {
      const doomed = scenario.faultyWorker(fault);
      await doomed.untilFault();
      await doomed.ended();
    }
    scenario.worker();
    const job = await scenario.untilCompleted(file.name);
    expect(job.attemptsMade).toBeLessThanOrEqual(1);
    await scenario.expectExactly([file]);
  });
});
