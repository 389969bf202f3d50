import { describeError } from '@cdr/core/errors';
import { redisCall, type Redis } from '@cdr/queue/redis-connection';
import type { Logger } from '@cdr/telemetry/logger';
import { z } from 'zod';
import { printable } from './printable.ts';

/** Redis keeps about so many; the oldest go first. */
const ENTRIES_KEPT = 10_000;

/** Who did what. */
export interface AuditEvent {
  /** Somebody logged in, or the name that was tried. */
  readonly who: string;
  /** IP address. */
  readonly from: string;
  readonly what: string;
  /** On which job or queue, and how it went. */
  readonly detail: string;
}

export interface AuditEntry extends AuditEvent {
  /** ms since 1970, by the clock of Redis. */
  readonly at: number;
}

const fieldsSchema = z.object({ who: z.string(), from: z.string(), what: z.string(), detail: z.string() });

/** What operators did and who logged in, in the log and in a capped Redis stream that outlives this process. */
export class AuditTrail {
  private readonly redis: Redis;
  private readonly key: string;
  private readonly log: Logger;

  constructor(redis: Redis, prefix: string, log: Logger) {
    this.redis = redis;
    this.key = `${prefix}:audit`;
    this.log = log;
  }

  /** Writes it down. Never throws: without Redis the log has it. */
  async record(event: AuditEvent): Promise<void> {
    const who = printable(event.who, 100);
    const { from, what } = event;
    const detail = printable(event.detail);
    this.log.info({ who, from, what, detail }, `${what} by "${who}" from ${from}${detail === '' ? '' : `: ${detail}`}`);
    try {
      await redisCall('writing the audit trail', () =>
        this.redis.xadd(
          this.key,
          'MAXLEN',
          '~',
          ENTRIES_KEPT,
          '*',
          ...['who', who, 'from', from, 'what', what, 'detail', detail],
        ),
      );
    } catch (error) {
      this.log.warn({ problem: describeError(error) }, 'the audit trail in Redis lacks the line above');
    }
  }

  /** The newest entries, newest first. Throws CdrError `redis-unavailable`. */
  async latest(count: number): Promise<AuditEntry[]> {
    const entries = await redisCall('reading the audit trail', () =>
      this.redis.xrevrange(this.key, '+', '-', 'COUNT', count),
    );
    return entries.flatMap(([id, pairs]) => {
      const fields: Record<string, string> = {};
      for (let i = 0; i + 1 < pairs.length; i += 2) fields[pairs[i] as string] = pairs[i + 1] as string;
      const parsed = fieldsSchema.safeParse(fields);
      return parsed.success ? [{ at: Number(id.split('-', 1)[0]), ...parsed.data }] : [];
    });
  }
}
