import { setTimeout as delay } from 'node:timers/promises';
import { generateCdrFiles } from '@cdr/core/generate-cdr';
import type { SftpFiles } from '../../tests/support/sftp-files.ts';
import type { LedgerWatch } from '../demo/ledger-watch.ts';
import { count, seconds } from '../demo/text.ts';
import { FAULTS } from './faults.ts';
import type { SourceFile } from './file-source.ts';
import { processUsage } from './process-usage.ts';
import { Random } from './random.ts';
import type { SoakDeployment } from './soak-deployment.ts';

/** The fault that takes each service away as a whole. */
export const OUTAGES = { kafka: 'broker-stopped', redis: 'redis-killed', sftp: 'sshd-killed' } as const;
export type Outage = keyof typeof OUTAGES;

export interface LongOutageOptions {
  readonly outage: Outage;
  readonly minutes: number;
  /** Jobs that wait when it begins. */
  readonly waiting: number;
  readonly seed: number;
}

/** What was uploaded, for the audit, and what was found wrong before it. */
export interface SoakFindings {
  readonly files: readonly SourceFile[];
  readonly rowsOf: (index: number) => string[];
  readonly problems: readonly string[];
}

const ROWS_PER_FILE = 3;
const QUEUED_DEADLINE_MS = 300_000;
const RESUMED_WITHIN_MS = 10_000;
/** How long those concerned may be busy with noticing it, before their CPU is measured. */
const NOTICING_MS = 5_000;
/** Of one core, while there is nothing to do but to wait. */
const IDLE_SHARE = 0.05;
const COMMITTED_BEFORE = 100;

/**
 * One service away for long, with a queue full of jobs: nothing may fail, no attempt be spent, nobody be busy, and work
 * must go on within ten seconds of its return. Resolves when all of it is done.
 */
export async function longOutage(
  { outage, minutes, waiting, seed }: LongOutageOptions,
  deployment: SoakDeployment,
  target: SftpFiles,
  ledger: LedgerWatch,
  say: (line: string) => void,
): Promise<SoakFindings> {
  const problems: string[] = [];
  const files: SourceFile[] = [];
  const rows: string[][] = [];
  const queue = deployment.queue.bullQueue;
  await queue.pause();
  for (const { name, feed, content } of generateCdrFiles({ files: waiting, rowsPerFile: ROWS_PER_FILE, seed })) {
    target.write(name, content.toString(), { atomic: true });
    rows.push(content.toString().split('\r\n').slice(1, -1));
    files.push({ name, feed, good: ROWS_PER_FILE, damaged: 0, uploadedAt: performance.now() });
  }
  const deadline = performance.now() + QUEUED_DEADLINE_MS;
  while ((await deployment.queue.counts()).waiting < waiting) {
    if (performance.now() > deadline) throw new Error(`${waiting} jobs were to wait by now`);
    await delay(250);
  }
  await queue.resume();
  while (ledger.committedFiles < COMMITTED_BEFORE) await delay(20);

  const kind = FAULTS.find(({ name }) => name === OUTAGES[outage]);
  if (!kind) throw new Error(`no fault takes ${outage} away`);
  const fault = await kind.begin(deployment, new Random(seed), () => []);
  const before = ledger.committedFiles;
  say(`${outage} is away for ${minutes} min: ${count(before)} files done, ${count(waiting - before)} jobs wait`);
  await delay(NOTICING_MS);
  const usedBefore = deployment.apps.map(({ pid }) => processUsage(pid)?.cpuMs ?? 0);
  const measuredFrom = performance.now();
  await delay(Math.max(0, minutes * 60_000 - NOTICING_MS));
  const measuredMs = performance.now() - measuredFrom;
  for (const [i, { name, pid, isRunning }] of deployment.apps.entries()) {
    if (!isRunning) problems.push(`${name} ended`);
    const share = ((processUsage(pid)?.cpuMs ?? 0) - (usedBefore[i] ?? 0)) / measuredMs;
    say(`CPU of ${name} meanwhile: ${(share * 100).toFixed(1)} % of a core`);
    if (share > IDLE_SHARE) problems.push(`${name} was busy with waiting: ${(share * 100).toFixed(1)} % of a core`);
  }
  const inBetween = ledger.committedFiles;

  await fault.heal();
  const healedAt = performance.now();
  while (ledger.committedFiles <= inBetween && performance.now() - healedAt < 120_000) await delay(20);
  const resumedMs = performance.now() - healedAt;
  say(`the next commit came ${seconds(resumedMs)} after its return`);
  if (resumedMs > RESUMED_WITHIN_MS) problems.push(`work went on only ${seconds(resumedMs)} after the return`);
  return { files, rowsOf: (index) => rows[index] ?? [], problems };
}

/** Attempts beyond the first, over all jobs that are kept. Call when all is quiet. */
export async function spentAttempts({ queue }: SoakDeployment): Promise<number> {
  const jobs = await queue.bullQueue.getJobs(['completed', 'failed', 'delayed', 'waiting']);
  return jobs.reduce((sum, job) => sum + Math.max(0, job.attemptsMade - 1), 0);
}
