import { describeError } from '@cdr/core/errors';
import type { AuditEntry, AuditEvent, AuditStream } from '@cdr/queue/audit-stream';
import type { Logger } from '@cdr/telemetry/logger';
import { printable } from './printable.ts';

const LONGEST_DETAIL = 30_000;

/** What operators did and who logged in, in the log and in Redis. */
export class AuditTrail {
  private readonly stream: AuditStream;
  private readonly log: Logger;

  constructor(stream: AuditStream, log: Logger) {
    this.stream = stream;
    this.log = log;
  }

  /** Writes it down. Never throws: without Redis the log has it. */
  async record(event: AuditEvent): Promise<void> {
    await this.write(event, (printed) => this.stream.add(printed));
  }

  /** The same for a login with a wrong password. */
  async recordFailedLogin(who: string, from: string): Promise<void> {
    await this.write({ who, from, what: 'login failed', detail: '' }, (printed) => this.stream.addFailedLogin(printed));
  }

  private async write(event: AuditEvent, keep: (printed: AuditEvent) => Promise<void>): Promise<void> {
    const who = printable(event.who, 100);
    const { from, what } = event;
    const detail = printable(event.detail, LONGEST_DETAIL);
    this.log.info({ who, from, what, detail }, `${what} by "${who}" from ${from}${detail === '' ? '' : `: ${detail}`}`);
    try {
      await keep({ who, from, what, detail });
    } catch (error) {
      this.log.warn({ problem: describeError(error) }, 'the audit trail in Redis lacks the line above');
    }
  }

  /** The newest entries, newest first. Throws CdrError `redis-unavailable`. */
  async latest(count: number): Promise<AuditEntry[]> {
    return this.stream.latest(count);
  }
}
