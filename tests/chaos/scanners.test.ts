import { describe, expect, test } from 'vitest';
import { SCAN_POINTS } from '../../apps/scanner/src/scan-points.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();

// the first scan finds files that are still settling; the fourth has something to enqueue
const FAULTS = SCAN_POINTS.flatMap((point) => [1, 4].map((nth) => [point, nth] as const));

describe.each(FAULTS)('a scanner at %s, time %i', (point, nth) => {
  test('killed: the next one does what is left', async () => {
    const scenario = new Scenario(java);
    const files = scenario.upload(8, 100);
    const doomed = scenario.faultyScanner(`${point}:kill:${nth}`);
    scenario.worker();
    await doomed.untilFault();
    await doomed.ended();
    // 15 s would pass; the test below lets them
    await scenario.dropScanLease();
    scenario.scanner();
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.expectExactly(files);
  });
});

test('a dead scanner is replaced when its lease has run out', async () => {
  const scenario = new Scenario(java);
  const files = scenario.upload(8, 100);
  const doomed = scenario.faultyScanner('selected:kill:4');
  scenario.worker();
  await doomed.untilFault();
  scenario.scanner();
  await scenario.untilCommitted(files.map(({ name }) => name));
  await scenario.expectExactly(files);
});

describe('two scanners', () => {
  test('one frozen with what it has selected, woken when the other has had all of it ingested', async () => {
    const scenario = new Scenario(java);
    const files = scenario.upload(8, 100);
    const frozen = scenario.faultyScanner('selected:freeze:4');
    await frozen.untilFault();
    scenario.worker();
    await scenario.dropScanLease();
    scenario.scanner();
    await scenario.untilCommitted(files.map(({ name }) => name));
    await scenario.flushRedis();
    frozen.signal('SIGCONT');
    await frozen.untilMessage(/^Found /);
    for (const { name } of files) await scenario.untilSettled(name);
    await scenario.expectExactly(files);
    expect(await java.read(scenario.world.topics.ledger)).toHaveLength(files.length);
  });

  test('both scanning all the time, since the lease is taken from them again and again', async () => {
    const scenario = new Scenario(java);
    const files = scenario.upload(40, 50);
    const scanners = [scenario.scanner(), scenario.scanner()];
    for (const scanner of scanners) await scanner.untilMessage(/^Connected/);
    scenario.worker();
    scenario.worker();
    await pollUntil(
      'all files to be committed',
      async () => {
        await scenario.dropScanLease();
        const known = await Promise.all(files.map(({ name }) => scenario.known(name)));
        return known.every((record) => record?.state === 'committed');
      },
      { deadlineMs: 60_000 },
    );
    for (const scanner of scanners) expect(scanner.lines.some(({ msg }) => /^Found 40/.test(msg ?? ''))).toBe(true);
    await scenario.expectExactly(files);
    expect(await java.read(scenario.world.topics.ledger)).toHaveLength(files.length);
  });
});
