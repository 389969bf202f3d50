import type { Redis } from 'ioredis';

/** Everything that keys of a pattern hold, decoded by the key's type: `TYPE KEY` to all of it as text. */
export async function redisContents(redis: Redis, pattern: string): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000);
    cursor = next;
    for (const key of keys) {
      const type = await redis.type(key);
      // gone since it was listed
      if (type !== 'none') contents.set(`${type} ${key}`, `${key}\n${flat(await valueOf(redis, type, key))}`);
    }
  } while (cursor !== '0');
  return contents;
}

async function valueOf(redis: Redis, type: string, key: string): Promise<unknown> {
  switch (type) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.call('HGETALL', key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES');
    case 'stream':
      return redis.xrange(key, '-', '+');
    default:
      throw new Error(`a key of a type that is not looked into: ${type} ${key}`);
  }
}

/** Values as they are, one a line, so that nothing is hidden by an escape. */
function flat(value: unknown): string {
  return Array.isArray(value) ? value.map(flat).join('\n') : String(value);
}
