import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError } from '@cdr/core/errors';
import { SftpFiles } from '../../tests/support/sftp-files.ts';
import { LedgerWatch } from '../demo/ledger-watch.ts';
import { count, seconds, table } from '../demo/text.ts';
import { CommittedReader } from '../kafka-counter/committed-reader.ts';
import { clearSettings } from '../services/clear-settings.ts';
import { startParts, type OwnedParts } from '../services/parts.ts';
import { auditSoak, type SoakVerdict } from './audit-soak.ts';
import { drawFault, FAULTS } from './faults.ts';
import { FileSource } from './file-source.ts';
import { longOutage, spentAttempts, type SoakFindings } from './long-outage.ts';
import { HELP, OptionError, parseOptions, type SoakOptions } from './options.ts';
import { Random } from './random.ts';
import { SoakDeployment } from './soak-deployment.ts';
import { SoakWatch } from './soak-watch.ts';

const QUIET_DEADLINE_MS = 300_000;
const AUDIT_DEADLINE_MS = 300_000;
const SHOWN_PROBLEMS = 20;

let parts: OwnedParts | undefined;

async function soak(options: SoakOptions): Promise<number> {
  say(`seed ${options.seed}, ${options.minutes} min, ${options.brokers} broker(s), ${options.workers} workers`);
  if (options.brokers === 1)
    say('One broker: it is stopped and frozen, not killed (a lone one forgets commits that it has acknowledged).');
  parts = await startParts({ instance: 'soak', brokers: options.brokers, progress: say });
  clearSettings();
  const deployment = await SoakDeployment.plan(parts, options.workers);
  const { sshd } = deployment.services;
  const files = new SftpFiles(sshd.uploadDir, deployment.config.sftp.remotePath);
  await deployment.start();
  const ledger = new LedgerWatch(deployment.ledger.ledgerReader);
  const watch = new SoakWatch(deployment, ledger);
  watch.start();
  const startedAt = performance.now();
  const { outage } = options;
  const source = outage
    ? await longOutage({ ...options, outage }, deployment, files, ledger, say)
    : await randomFaults(options, deployment, files, ledger, watch, startedAt);

  say('healing is done, waiting for quiet');
  await watch.untilQuiet(
    source.files.map(({ name }) => name),
    QUIET_DEADLINE_MS,
    say,
  );
  watch.stop();
  const { waiting, active, delayed, failed } = await deployment.queue.counts();
  const verdict = await closingAudit(deployment, ledger, source, { waiting, active, delayed, failed });
  const problems = [...verdict.problems, ...source.problems];
  // faults at random fail attempts on purpose
  const spent = outage ? await spentAttempts(deployment) : 0;
  if (spent > 0) problems.push(`${spent} attempts were spent`);
  report({ ...verdict, problems }, watch, performance.now() - startedAt);
  const clean = problems.length === 0 && verdict.missing === 0 && verdict.doubled === 0;
  await deployment.stop();
  return clean && watch.crashes.length === 0 ? 0 : 1;
}

/** Files come all the time, and faults with them. */
async function randomFaults(
  options: SoakOptions,
  deployment: SoakDeployment,
  files: SftpFiles,
  ledger: LedgerWatch,
  watch: SoakWatch,
  startedAt: number,
): Promise<SoakFindings> {
  const source = new FileSource(files, options.seed);
  source.start();
  await injectFaults(options, deployment, ledger, watch, startedAt);
  await source.stop();
  return { files: source.files, rowsOf: (index) => source.rowsOf(index), problems: [] };
}

/** One fault after another, sometimes two at a time, in the order that the seed gives. */
async function injectFaults(
  options: SoakOptions,
  deployment: SoakDeployment,
  ledger: LedgerWatch,
  watch: SoakWatch,
  startedAt: number,
): Promise<void> {
  const unknown = options.only.filter((name) => !FAULTS.some((kind) => kind.name === name));
  if (unknown.length > 0) throw new OptionError(`no fault is called ${unknown.join(', ')}`);
  const kinds = FAULTS.filter(
    ({ name, fits }) => (fits?.(options.brokers) ?? true) && (options.only.length === 0 || options.only.includes(name)),
  );
  const random = new Random(options.seed);
  const committed = (): string[] =>
    [...ledger.records.values()].filter(({ state }) => state === 'committed').map(({ file }) => file);
  const until = startedAt + options.minutes * 60_000;
  const takeOvers: Promise<void>[] = [];
  // something has to be under way before the first
  await delay(3_000);
  while (performance.now() < until) {
    const first = drawFault(random, kinds);
    const second = drawFault(random, kinds);
    const together = random.next() < 0.2 && first.kind.name !== second.kind.name;
    const plans = together ? [first, second] : [first];
    await Promise.all(
      plans.map(async ({ kind, holdMs, random: own }) => {
        const at = performance.now();
        try {
          const fault = await kind.begin(deployment, own, committed);
          const begun = watch.begin(kind);
          if (fault.dead) takeOvers.push(watch.takeOver(fault.dead));
          const lastsMs = Math.min(holdMs, Math.max(0, until - performance.now()));
          await delay(lastsMs);
          watch.beforeHeal(begun);
          await fault.heal();
          const recoveredMs = await watch.recovery(begun);
          const tookMs = performance.now() - at;
          say(
            `${clock(at - startedAt)}  ${kind.name.padEnd(22)} ${fault.target}, ${seconds(lastsMs)}, ` +
              `next commit after ${seconds(recoveredMs)} (${seconds(tookMs)} in all)`,
          );
        } catch (error) {
          // another fault at the same time may keep this one from being done; the heal below mends both
          say(`${clock(at - startedAt)}  ${kind.name.padEnd(22)} not done: ${describeError(error)}`);
        }
      }),
    );
    await watch.everythingRuns();
    await delay(together ? second.pauseMs : first.pauseMs);
  }
  await watch.everythingRuns();
  await Promise.all(takeOvers);
}

async function closingAudit(
  { config }: SoakDeployment,
  ledger: LedgerWatch,
  source: SoakFindings,
  jobsLeft: Record<string, number>,
): Promise<SoakVerdict> {
  const { kafka, topics } = config;
  const java = await CommittedReader.start(kafka.brokers.join(','), say);
  try {
    const messages = await java.read(topics.recordTopics, AUDIT_DEADLINE_MS);
    const rejects = (await java.count([topics.rejectsTopic], AUDIT_DEADLINE_MS))[topics.rejectsTopic] ?? 0;
    return auditSoak({
      files: source.files,
      rowsOf: source.rowsOf,
      ledger: ledger.records,
      messages,
      rejects,
      jobsLeft,
    });
  } finally {
    await java.stop();
  }
}

function report(verdict: SoakVerdict, watch: SoakWatch, tookMs: number): void {
  say('');
  for (const line of table(watch.recoveryTable())) say(line);
  say('');
  for (const line of watch.resourceLines()) say(line);
  say('');
  for (const line of watch.crashes) say(`CRASHED: ${line}`);
  for (const problem of verdict.problems.slice(0, SHOWN_PROBLEMS)) say(`PROBLEM: ${problem}`);
  if (verdict.problems.length > SHOWN_PROBLEMS) say(`and ${verdict.problems.length - SHOWN_PROBLEMS} more`);
  say(
    `${count(verdict.files)} files (${verdict.reingested} ingested once more on request), ` +
      `${count(verdict.expected)} rows expected, ${count(verdict.found)} messages found by Java's consumer, ` +
      `${count(verdict.rejectsExpected)} rejects expected, ${count(verdict.rejectsFound)} found, ` +
      `${count(verdict.ledgerRows)} rows in the ledger, in ${seconds(tookMs)}`,
  );
  say(`missing ${verdict.missing}, doubled ${verdict.doubled}, other problems ${verdict.problems.length}`);
}

function clock(ms: number): string {
  const total = Math.max(0, Math.round(ms / 1000));
  return `${String(Math.floor(total / 60)).padStart(2)}:${String(total % 60).padStart(2, '0')}`;
}

function say(line: string): void {
  console.log(line);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void (parts?.stop() ?? Promise.resolve()).finally(() => process.exit(1)));
try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') say(HELP);
  else process.exitCode = await soak(options);
} catch (error) {
  console.error(error instanceof OptionError ? error.message : error);
  process.exitCode = 1;
}
await parts?.stop();
process.exit();
