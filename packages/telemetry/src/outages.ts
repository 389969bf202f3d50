import { setTimeout as sleep } from 'node:timers/promises';
import { CdrError, describeError, errorCodeOf, type ErrorCode } from '@cdr/core/errors';
import type { Logger } from './logger.ts';

export type Dependency = 'sftp' | 'kafka' | 'redis';

export interface OutageOptions {
  /** Resolves when the dependency answers; throws otherwise. */
  readonly probes: Readonly<Record<Dependency, () => Promise<void>>>;
  /** Told when an outage begins, once a minute while it lasts, and when it is over. */
  readonly report: (event: OutageEvent) => void;
  readonly probeEveryMs?: number;
  readonly reportEveryMs?: number;
}

export interface OutageEvent {
  readonly dependency: Dependency;
  readonly state: 'away' | 'still-away' | 'back';
  readonly forMs: number;
  readonly problem: string;
  /** Not every dependency that cannot be used is away: the code of the error that began it, or one that needs somebody. */
  readonly code: ErrorCode;
}

interface Outage {
  readonly since: number;
  code: ErrorCode;
  problem: string;
  reportedAt: number;
  /** What the waiting wait for; undefined once they were let go, until one of them comes back or all is well. */
  gate: PromiseWithResolvers<void> | undefined;
}

/**
 * Waits for dependencies that are away: one probe per process and dependency, however many jobs wait for it. Jobs are
 * held meanwhile; none is failed or delayed, and none spends an attempt.
 */
export class Outages {
  private readonly options: Required<OutageOptions>;
  private readonly current = new Map<Dependency, Outage>();
  private readonly stop = new AbortController();

  constructor(options: OutageOptions) {
    this.options = { probeEveryMs: 2_000, reportEveryMs: 60_000, ...options };
  }

  /** What is away, and why; empty when nothing is. */
  problems(): ReadonlyMap<Dependency, string> {
    return new Map([...this.current].map(([dependency, { problem }]) => [dependency, problem]));
  }

  /**
   * Resolves when the dependency answers again; at the earliest after one probe interval, so that an error which no probe
   * can see (a missing right, a missing directory) is retried slowly, as one long outage.
   * Throws CdrError `shutdown` when the signal is aborted first.
   */
  async untilBack(dependency: Dependency, error: unknown, signal: AbortSignal): Promise<void> {
    const outage = this.current.get(dependency) ?? this.begin(dependency, error);
    this.note(dependency, outage, error);
    outage.gate ??= Promise.withResolvers();
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(new CdrError('shutdown', 'the process is shutting down'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([outage.gate.promise, promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Runs a step that needs a dependency, waiting while it is away, until it succeeds. Throws `shutdown` as above. */
  async untilDone(dependency: Dependency, step: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await step();
      } catch (error) {
        await this.untilBack(dependency, error, signal);
      }
    }
  }

  /** Ends every wait; nothing is probed any more. */
  close(): void {
    this.stop.abort();
  }

  private begin(dependency: Dependency, error: unknown): Outage {
    const now = performance.now();
    const problem = describeError(error);
    const code = errorCodeOf(error);
    const outage: Outage = { since: now, code, problem, reportedAt: now, gate: Promise.withResolvers() };
    this.current.set(dependency, outage);
    this.options.report({ dependency, state: 'away', forMs: 0, problem, code });
    void this.watch(dependency, outage);
    return outage;
  }

  /** Probes until the dependency answers, lets the waiting go, and calls it over when none of them comes back at once. */
  private async watch(dependency: Dependency, outage: Outage): Promise<void> {
    const { probes, report, probeEveryMs, reportEveryMs } = this.options;
    for (;;) {
      try {
        await sleep(probeEveryMs, undefined, { signal: this.stop.signal });
      } catch {
        return;
      }
      const forMs = Math.round(performance.now() - outage.since);
      if (!outage.gate) {
        this.current.delete(dependency);
        report({ dependency, state: 'back', forMs, problem: outage.problem, code: outage.code });
        return;
      }
      if (performance.now() - outage.reportedAt >= reportEveryMs) {
        outage.reportedAt = performance.now();
        report({ dependency, state: 'still-away', forMs, problem: outage.problem, code: outage.code });
      }
      try {
        await probes[dependency]();
        outage.gate.resolve();
        outage.gate = undefined;
      } catch (error) {
        this.note(dependency, outage, error);
      }
    }
  }

  /**
   * An outage that turns out to be somebody's business is reported as such at once: a server that comes back with another
   * host key was away first.
   */
  private note(dependency: Dependency, outage: Outage, error: unknown): void {
    outage.problem = describeError(error);
    const code = errorCodeOf(error);
    if (isAway(code) || code === 'unexpected' || !isAway(outage.code)) return;
    outage.code = code;
    outage.reportedAt = performance.now();
    const forMs = Math.round(performance.now() - outage.since);
    this.options.report({ dependency, state: 'away', forMs, problem: outage.problem, code });
  }
}

/** What /readyz says: which dependencies nothing is known to be wrong with, once the process has reached them all. */
export function readiness(outages: Outages, started: boolean): Record<Dependency, { ready: boolean; detail?: string }> {
  const problems = outages.problems();
  const of = (dependency: Dependency): { ready: boolean; detail?: string } => {
    const detail = problems.get(dependency);
    return detail === undefined ? { ready: started } : { ready: false, detail };
  };
  return { sftp: of('sftp'), kafka: of('kafka'), redis: of('redis') };
}

/** What the processes do with outage events: one log line each, and a gauge. */
export function logOutages(log: Logger, setUp: (dependency: Dependency, up: boolean) => void): OutageOptions['report'] {
  for (const dependency of ['sftp', 'kafka', 'redis'] as const) setUp(dependency, true);
  return ({ dependency, state, forMs, problem, code }) => {
    setUp(dependency, state === 'back');
    const name = NAMES[dependency];
    const seconds = Math.round(forMs / 1000);
    const away = isAway(code);
    const what = away ? `${name} is away` : `${name} cannot be used as it is`;
    // what is away comes back; a login, a right or a host key that is refused waits for somebody
    const level = away ? 'warn' : 'error';
    if (state === 'away') log[level]({ dependency, code, problem }, `${what}, waiting for it: ${problem}`);
    else if (state === 'still-away')
      log[level]({ dependency, code, problem, seconds }, `${what}, waiting since ${seconds} s: ${problem}`);
    else log.info({ dependency, seconds }, `${name} is back after ${seconds} s`);
  };
}

function isAway(code: ErrorCode): boolean {
  return code.endsWith('-unavailable');
}

const NAMES: Readonly<Record<Dependency, string>> = { sftp: 'the SFTP server', kafka: 'Kafka', redis: 'Redis' };
