import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** The environment of a process whose clock is off by so much. */
function clockOff(ms: number): Record<string, string> {
  const preload = pathToFileURL(path.join(import.meta.dirname, '../support/shifted-clock.ts')).href;
  return { NODE_OPTIONS: `--import=${preload}`, CLOCK_OFFSET_MS: String(ms) };
}

test('clocks apart by days, a worker killed, one frozen and woken, Redis flushed: each row once', async () => {
  const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '2000' });
  const files = scenario.upload(12, 3_000);
  scenario.scanner(clockOff(5 * DAY_MS));
  const doomed = scenario.faultyWorker('before-commit:kill:3', clockOff(-3 * DAY_MS));
  const frozen = scenario.faultyWorker('before-commit:freeze:2', clockOff(50 * MINUTE_MS));
  await Promise.all([doomed.untilFault(), frozen.untilFault()]);
  scenario.worker(clockOff(-DAY_MS));
  await scenario.untilSome(files, 5);
  frozen.signal('SIGCONT');
  await scenario.flushRedis();
  await scenario.untilCommitted(files.map(({ name }) => name));
  await scenario.expectExactly(files);
});

test('a clock further ahead than the brokers take: said and waited for, no attempt spent', async () => {
  const scenario = new Scenario(java);
  const files = scenario.upload(4, 300);
  scenario.scanner();
  const ahead = scenario.worker(clockOff(DAY_MS));
  await ahead.untilMessage(/^Kafka cannot be used as it is, waiting for it: .*Set this machine's clock/);
  // somebody has to set it: an error, of Kafka, and of no file
  const errors = ahead.lines.filter(({ level }) => level === 'error');
  expect(errors.map(({ dependency }) => dependency)).toEqual(errors.map(() => 'kafka'));
  await ahead.kill();
  scenario.worker();
  await scenario.untilCommitted(files.map(({ name }) => name));
  for (const { name } of files) expect((await scenario.untilCompleted(name)).attemptsMade).toBe(1);
  await scenario.expectExactly(files);
});
