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
    const who = printable(event.who, 100);
    const { from, what } = event;
    const detail = printable(event.detail, LONGEST_DETAIL);
    this.log.info({ who, from, what, detail }, `${what} by "${who}" from ${from}${detail === '' ? '' : `: ${detail}`}`);
    try {
      await this.stream.add({ who, from, what, detail });
    } catch (error) {
      this.log.warn({ problem: describeError(error) }, 'the audit trail in Redis lacks the line above');
    }
  }

  /** The newest entries, newest first. Throws CdrError `redis-unavailable`. */
  async latest(count: number): Promise<AuditEntry[]> {
    return this.stream.latest(count);
  }
}
