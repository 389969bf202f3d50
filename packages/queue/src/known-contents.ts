import type { LedgerRecord } from '@cdr/core/ledger-record';
import type { Redis } from 'ioredis';
import { redisCall } from './redis-connection.ts';
import type { RedisSettings } from './redis-settings.ts';

/** Of the hash in hex: enough that no two contents ever meet by chance, and half the memory. */
const HASH_DIGITS = 32;

/**
 * Which file each content was first ingested as: one hash in Redis, SHA-256 to file key. For reports and for nothing else:
 * the same CDRs under another name are ingested, and somebody should know. Built anew with the projection.
 */
export class KnownContents {
  private readonly redis: Redis;
  private readonly key: string;

  constructor(redis: Redis, settings: RedisSettings) {
    this.redis = redis;
    this.key = `${settings.prefix}:contents`;
  }

  /** Remembers what these files hold, unless another file was remembered with it before. */
  async remember(records: readonly LedgerRecord[]): Promise<void> {
    const pipeline = this.redis.pipeline();
    for (const record of records) if (hasContent(record)) pipeline.hsetnx(this.key, fieldOf(record), record.file);
    if (pipeline.length > 0) await redisCall('remembering contents', () => pipeline.exec());
  }

  /** Remembers what a file holds; gives the other file that was ingested with it before, if there is one. */
  async rememberOne(record: LedgerRecord): Promise<string | undefined> {
    if (!hasContent(record)) return undefined;
    const field = fieldOf(record);
    const isNew = await redisCall('remembering a content', () => this.redis.hsetnx(this.key, field, record.file));
    if (isNew === 1) return undefined;
    const first = await redisCall('looking a content up', () => this.redis.hget(this.key, field));
    return first === null || first === record.file ? undefined : first;
  }

  async forget(): Promise<void> {
    await redisCall('forgetting contents', () => this.redis.del(this.key));
  }
}

/** Files without rows are all alike, and nothing of them is in the topics twice. */
function hasContent(record: LedgerRecord): record is LedgerRecord & { sha256: string } {
  return record.state === 'committed' && record.rows > 0 && record.sha256 !== null;
}

function fieldOf({ sha256 }: { readonly sha256: string }): string {
  return sha256.slice(0, HASH_DIGITS);
}
