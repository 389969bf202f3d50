import { z } from 'zod';
import { redisCall, type Redis } from './redis-connection.ts';

/** Redis keeps about so many; the oldest go first. */
const ENTRIES_KEPT = 10_000;
const FAILED_LOGINS_KEPT = 1_000;
/** A hundred file names of the longest. */
const LONGEST_DETAIL = 30_000;
/** Files that one entry names. */
export const FILES_PER_ENTRY = 100;

/** Who did what. */
export interface AuditEvent {
  /** Somebody logged in, the name that was tried, or an operator at a shell. */
  readonly who: string;
  /** IP address, or the machine of the shell. */
  readonly from: string;
  readonly what: string;
  /** On which job, file or queue, and how it went. */
  readonly detail: string;
}

export interface AuditEntry extends AuditEvent {
  /** ms since 1970, by the clock of Redis. */
  readonly at: number;
}

const fieldsSchema = z.object({ who: z.string(), from: z.string(), what: z.string(), detail: z.string() });

/**
 * What operators did, of the dashboard and of the command line alike, in a capped Redis stream that outlives them both.
 * Its methods throw CdrError `redis-unavailable`.
 */
export class AuditStream {
  private readonly redis: Redis;
  private readonly key: string;
  /** Apart, so that whoever guesses passwords from many addresses cannot push out what operators did. */
  private readonly failedLoginsKey: string;

  /** The connection stays the caller's. */
  constructor(redis: Redis, prefix: string) {
    this.redis = redis;
    this.key = `${prefix}:audit`;
    this.failedLoginsKey = `${prefix}:audit-failed-logins`;
  }

  async add(event: AuditEvent): Promise<void> {
    await this.append(this.key, ENTRIES_KEPT, event);
  }

  async addFailedLogin(event: AuditEvent): Promise<void> {
    await this.append(this.failedLoginsKey, FAILED_LOGINS_KEPT, event);
  }

  private async append(key: string, kept: number, { who, from, what, detail }: AuditEvent): Promise<void> {
    const fields = ['who', who, 'from', from, 'what', what, 'detail', detail.slice(0, LONGEST_DETAIL)];
    await redisCall('writing the audit trail', () => this.redis.xadd(key, 'MAXLEN', '~', kept, '*', ...fields));
  }

  /** The newest entries, newest first: so many at most, and as many failed logins between them. */
  async latest(count: number): Promise<AuditEntry[]> {
    const [done, failedLogins] = await Promise.all([
      this.newest(this.key, count),
      this.newest(this.failedLoginsKey, count),
    ]);
    return [...done, ...failedLogins].sort((a, b) => b.at - a.at);
  }

  private async newest(key: string, count: number): Promise<AuditEntry[]> {
    const entries = await redisCall('reading the audit trail', () =>
      this.redis.xrevrange(key, '+', '-', 'COUNT', count),
    );
    return entries.flatMap(([id, pairs]) => {
      const fields: Record<string, string> = {};
      for (let i = 0; i + 1 < pairs.length; i += 2) fields[pairs[i] as string] = pairs[i + 1] as string;
      const parsed = fieldsSchema.safeParse(fields);
      return parsed.success ? [{ at: Number(id.split('-', 1)[0]), ...parsed.data }] : [];
    });
  }
}
