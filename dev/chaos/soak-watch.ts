import { setTimeout as delay } from 'node:timers/promises';
import type { LedgerWatch } from '../demo/ledger-watch.ts';
import { seconds } from '../demo/text.ts';
import type { DeadWorker, FaultKind } from './faults.ts';
import { processUsage } from './process-usage.ts';
import { JOB_LOCK_MS, STALLED_INTERVAL_MS, type SoakDeployment } from './soak-deployment.ts';

const LOOK_EVERY_MS = 100;
const SAMPLE_EVERY_MS = 5_000;
const RECOVERY_DEADLINE_MS = 120_000;
/** An outage shorter than this says nothing of what a process does while it lasts. */
const LONG_ENOUGH_MS = 4_000;
/** How long into an outage those concerned may be busy with noticing it. */
const NOTICING_MS = 2_000;

/** A fault while it lasts, and what is measured of it. */
export interface Begun {
  readonly kind: FaultKind;
  readonly at: number;
  healedAt: number;
}

interface CpuSample {
  readonly at: number;
  readonly cpuMs: number;
  readonly pid: number | undefined;
}

interface MemorySample {
  readonly at: number;
  readonly rssBytes: number;
}

/** Looks at the ledger and the processes while faults are injected. */
export class SoakWatch {
  /** Apps that ended without having been told to. */
  readonly crashes: string[] = [];
  readonly #deployment: SoakDeployment;
  readonly #ledger: LedgerWatch;
  readonly #recoveries = new Map<string, number[]>();
  readonly #cpu = new Map<string, number[]>();
  /** Memory by process id and app: a new process begins anew. */
  readonly #memory = new Map<string, MemorySample[]>();
  /** Of the last minute, by app. */
  readonly #recent = new Map<string, CpuSample[]>();
  readonly #takeOvers: number[] = [];
  readonly #stop = new AbortController();
  #lastCommitAt = performance.now();

  constructor(deployment: SoakDeployment, ledger: LedgerWatch) {
    this.#deployment = deployment;
    this.#ledger = ledger;
  }

  start(): void {
    void this.#follow();
    void this.#sample();
  }

  stop(): void {
    this.#stop.abort();
  }

  begin(kind: FaultKind): Begun {
    return { kind, at: performance.now(), healedAt: 0 };
  }

  /** Takes down what the processes did while something was away; the outage began when `begun` did. */
  beforeHeal(begun: Begun): void {
    begun.healedAt = performance.now();
    const heldMs = begun.healedAt - begun.at;
    if (!begun.kind.away || heldMs < LONG_ENOUGH_MS) return;
    for (const app of this.#deployment.apps) {
      const samples = (this.#recent.get(app.name) ?? []).filter(
        ({ at, pid }) => at >= begun.at + NOTICING_MS && pid === app.pid,
      );
      const [first, last] = [samples[0], samples.at(-1)];
      if (!first || !last || last.at - first.at < 1_000) continue;
      const share = (last.cpuMs - first.cpuMs) / (last.at - first.at);
      const { name } = begun.kind;
      this.#cpu.set(name, [...(this.#cpu.get(name) ?? []), share]);
    }
  }

  /** Resolves with the time from the healing to the next commit; after two minutes without one, with that. */
  async recovery(begun: Begun): Promise<number> {
    const from = begun.healedAt;
    while (this.#lastCommitAt <= from && performance.now() - from < RECOVERY_DEADLINE_MS) await delay(LOOK_EVERY_MS);
    const ms = Math.max(0, this.#lastCommitAt - from, this.#lastCommitAt <= from ? RECOVERY_DEADLINE_MS : 0);
    const { name } = begun.kind;
    this.#recoveries.set(name, [...(this.#recoveries.get(name) ?? []), ms]);
    return ms;
  }

  /** Starts again what does not run; says so of what no fault has ended. */
  async everythingRuns(): Promise<void> {
    const { apps, services } = this.#deployment;
    if (services.redis.pid === undefined) await services.redis.restart();
    if (services.sshd.pid === undefined) await services.sshd.restart();
    for (const broker of services.kafka.brokers) if (broker.pid === undefined) await broker.restart();
    for (const app of apps) {
      if (app.isRunning) continue;
      this.crashes.push(`${app.name}\n${app.logTail(5)}`);
      await app.start();
    }
  }

  /** Resolves when every file is committed and nothing that was asked for is left, or after the deadline. */
  async untilQuiet(files: readonly string[], deadlineMs: number, say: (line: string) => void): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const open = files.filter((file) => {
        const record = this.#ledger.records.get(file);
        return record?.state !== 'committed' || (record.requested?.generation ?? 0) > record.generation;
      });
      const counts = await this.#deployment.queue.counts().catch(() => undefined);
      const jobs = counts ? counts.waiting + counts.active + counts.delayed : 1;
      if (open.length === 0 && jobs === 0) return;
      if (performance.now() > deadline) {
        say(`not quiet after ${seconds(deadlineMs)}: ${open.length} files open, ${jobs} jobs left`);
        return;
      }
      await delay(500);
    }
  }

  recoveryTable(): string[][] {
    const rows = [...this.#recoveries].map(([name, times]) => {
      const sorted = times.toSorted((a, b) => a - b);
      const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
      return [name, String(times.length), seconds(median), seconds(sorted.at(-1) ?? 0)];
    });
    return [['fault', 'times', 'next commit: median', 'longest'], ...rows.sort()];
  }

  resourceLines(): string[] {
    const lines = [...this.#cpu].map(([name, shares]) => {
      const longest = Math.max(...shares);
      return `CPU of a process during ${name}: at most ${(longest * 100).toFixed(1)} % of a core (${shares.length} looks)`;
    });
    for (const [key, samples] of this.#memory) {
      const [first, last] = [samples.find(({ at }) => at - (samples[0]?.at ?? 0) >= 60_000), samples.at(-1)];
      if (!first || !last || last.at - first.at < 60_000) continue;
      const top = Math.max(...samples.map(({ rssBytes }) => rssBytes));
      const perMinute = (last.rssBytes - first.rssBytes) / ((last.at - first.at) / 60_000);
      lines.push(
        `RSS of ${key}: ${mib(first.rssBytes)} a minute after its start, ${mib(last.rssBytes)} at the end, ` +
          `${mib(top)} at most, ${(perMinute / 2 ** 20).toFixed(2)} MiB a minute`,
      );
    }
    return [...lines, ...this.#takeOverLines()];
  }

  /** Measures how long the files of a dead worker stay in nobody's hands. */
  async takeOver({ worker, at: killedAt }: DeadWorker): Promise<void> {
    const jobs = await this.#deployment.queue.bullQueue.getActive().catch(() => []);
    const orphans = jobs.filter(({ processedBy }) => processedBy === worker);
    await Promise.all(
      orphans.map(async ({ id }) => {
        if (!id) return;
        while (performance.now() - killedAt < RECOVERY_DEADLINE_MS) {
          const job = await this.#deployment.queue.bullQueue.getJob(id).catch(() => undefined);
          if (job?.processedBy !== worker || job?.finishedOn) {
            this.#takeOvers.push(performance.now() - killedAt);
            return;
          }
          await delay(LOOK_EVERY_MS);
        }
      }),
    );
  }

  #takeOverLines(): string[] {
    if (this.#takeOvers.length === 0) return [];
    const longest = Math.max(...this.#takeOvers);
    const expected = `lock ${seconds(JOB_LOCK_MS)} + 2 x ${seconds(STALLED_INTERVAL_MS)}`;
    return [
      `Files of killed workers were taken over after ${seconds(longest)} at most (${this.#takeOvers.length} files; ${expected})`,
    ];
  }

  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const before = this.#ledger.changedAt;
      try {
        await this.#ledger.refresh();
        if (this.#ledger.changedAt !== before) this.#lastCommitAt = performance.now();
      } catch {
        // the brokers are away
      }
      await delay(LOOK_EVERY_MS);
    }
  }

  async #sample(): Promise<void> {
    let sampledAt = 0;
    while (!this.#stop.signal.aborted) {
      const at = performance.now();
      const keep = at - sampledAt >= SAMPLE_EVERY_MS;
      if (keep) sampledAt = at;
      for (const app of this.#deployment.apps) {
        const { pid, name } = app;
        const usage = processUsage(pid);
        if (!usage) continue;
        const recent = this.#recent.get(name) ?? [];
        recent.push({ at, cpuMs: usage.cpuMs, pid });
        this.#recent.set(
          name,
          recent.filter((sample) => at - sample.at < 60_000),
        );
        const key = `${name} (${pid})`;
        if (keep) this.#memory.set(key, [...(this.#memory.get(key) ?? []), { at, rssBytes: usage.rssBytes }]);
      }
      await delay(500);
    }
  }
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
