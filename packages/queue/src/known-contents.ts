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
  readonly key: string;

  constructor(redis: Redis, settings: RedisSettings) {
    this.redis = redis;
    this.key = `${settings.prefix}:contents`;
  }

  /** Remembers what these files hold, unless another file was remembered with it before. */
  async remember(records: readonly LedgerRecord[]): Promise<void> {
    const pipeline = this.redis.pipeline();
    for (const record of records) {
      const content = contentOf(record);
      if (content !== '') pipeline.hsetnx(this.key, content, record.file);
    }
    if (pipeline.length > 0) await redisCall('remembering contents', () => pipeline.exec());
  }

  async forget(): Promise<void> {
    await redisCall('forgetting contents', () => this.redis.del(this.key));
  }
}

/**
 * What a file holds, as a field of that hash; '' when there is nothing to remember: files without rows are all alike, and
 * nothing of them is in the topics twice.
 */
export function contentOf({ state, rows, sha256 }: LedgerRecord): string {
  return state === 'committed' && rows > 0 && sha256 !== null ? sha256.slice(0, HASH_DIGITS) : '';
}
