import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { redisCall } from './redis-connection.ts';
import type { RedisSettings } from './redis-settings.ts';

const RENEW_SCRIPT = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`;
const RELEASE_SCRIPT = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

/**
 * Keeps two scanners from scanning at once. Only to save work: two at once do no harm, since a job id is per file, so
 * losing the lease in mid-scan stops nothing.
 */
export class ScanLease {
  private readonly redis: Redis;
  private readonly key: string;
  private readonly leaseMs: number;
  private readonly holder = randomUUID();

  constructor(redis: Redis, settings: RedisSettings, leaseMs: number) {
    this.redis = redis;
    this.key = `${settings.prefix}:scan-lease`;
    this.leaseMs = leaseMs;
  }

  /** True when this scanner holds the lease, taken now or renewed. */
  async hold(): Promise<boolean> {
    return redisCall('taking the scan lease', async () => {
      const taken = await this.redis.set(this.key, this.holder, 'PX', this.leaseMs, 'NX');
      if (taken === 'OK') return true;
      return (await this.redis.eval(RENEW_SCRIPT, 1, this.key, this.holder, this.leaseMs)) === 1;
    });
  }

  /** True while any scanner holds it, which it does from one scan to the next. */
  async isHeld(): Promise<boolean> {
    return redisCall('looking at the scan lease', async () => (await this.redis.exists(this.key)) === 1);
  }

  /** Lets another scanner begin at once. */
  async release(): Promise<void> {
    await redisCall('releasing the scan lease', () => this.redis.eval(RELEASE_SCRIPT, 1, this.key, this.holder));
  }
}
