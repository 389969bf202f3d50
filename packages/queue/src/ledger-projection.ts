import { isDeepStrictEqual } from 'node:util';
import { decidingPartOf, type DecidingPart } from '@cdr/core/decide';
import {
  ledgerRecordSchema,
  parseLedgerRecord,
  type LedgerEntry,
  type LedgerRecord,
  type LedgerText,
} from '@cdr/core/ledger-record';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { DECIDING_PARTS_SCRIPT, parseDecidingPart } from './deciding-parts.ts';
import { contentOf, KnownContents } from './known-contents.ts';
import { redisCall } from './redis-connection.ts';
import type { RedisSettings } from './redis-settings.ts';

/** Which ledger a position is in: a position in another cluster's or topic's log means nothing. */
export interface LedgerIdentity {
  readonly clusterId: string;
  readonly topic: string;
  /** Tells a topic from one that was deleted and created again; undefined where the brokers give none. */
  readonly topicId?: string | undefined;
}

/** How far the projection follows the ledger: every record below `offset` is in it, or was replaced by a later one. */
export interface ProjectionPosition extends LedgerIdentity {
  readonly offset: bigint;
}

const positionSchema = z.object({
  clusterId: z.string(),
  topic: z.string(),
  topicId: z.string().optional(),
  offset: z.string().regex(/^\d+$/),
});

/** A decided record of the ledger as the projection keeps it. */
export type ProjectedRecord =
  | LedgerEntry
  /** It is the file's newest, but not ours to understand: whoever asks must read it in the topic. */
  | { readonly offset: bigint; readonly file: string; readonly problem: string };

/** What the projection says of a file. */
export interface ProjectedFile {
  readonly entry: LedgerEntry | undefined;
  /** Offset of the file's newest record when that could not be read; there is no entry then. */
  readonly unreadableAt: bigint | undefined;
  readonly position: ProjectionPosition | undefined;
}

/** What a comparison with the ledger has put right, and how many of its files are there now. */
export interface Mended {
  readonly mended: readonly string[];
  readonly present: number;
}

/** No file key is empty: the field of the same hash in which the position is kept, so that one HMGET reads both. */
const POSITION_FIELD = '';
/** Entries of one script call; larger ones would block Redis. */
export const ADVANCE_MAX_ENTRIES = 500;
/** Files of one look-up, for the same reason. */
export const LOOK_UP_AT_ONCE = 1_000;
const SCAN_COUNT = 500;

/** Stands for a record that is not ours to understand. */
const UNREADABLE = 'unreadable';

/** An entry is only ever replaced by one with a higher ledger offset. */
const PUT_HIGHER = `
local function put(field, offset, json)
  local current = redis.call('HGET', KEYS[1], field)
  -- what has no offset was not written by us
  if current and tonumber(string.match(current, '^(%d+) ') or '-1') >= tonumber(offset) then return 0 end
  redis.call('HSET', KEYS[1], field, offset .. ' ' .. json)
  return 1
end
`;

/** KEYS[2]: contents; ARGV: field, offset and record of an entry, its content or ''. Answers which file had that first. */
const PUT_SCRIPT = `${PUT_HIGHER}
put(ARGV[1], ARGV[2], ARGV[3])
if ARGV[4] == '' or redis.call('HSETNX', KEYS[2], ARGV[4], ARGV[1]) == 1 then return '' end
return redis.call('HGET', KEYS[2], ARGV[4])`;

/** ARGV: expected position, next position, then field, offset and record of each entry. */
const ADVANCE_SCRIPT = `${PUT_HIGHER}
local expected = redis.call('HGET', KEYS[1], '') or ''
if expected ~= ARGV[1] then return 0 end
for i = 3, #ARGV, 3 do put(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
redis.call('HSET', KEYS[1], '', ARGV[2])
return 1`;

/** ARGV: a value of the position's field. */
const FORGET_POSITION_SCRIPT = `
if redis.call('HGET', KEYS[1], '') == ARGV[1] then return redis.call('HDEL', KEYS[1], '') end
return 0`;

/** ARGV: field, its value as it was compared with the ledger, the right value or '' for none. */
const MEND_SCRIPT = `
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`;

/** ARGV: expected position, position to begin from. */
const RESTART_SCRIPT = `
local expected = redis.call('HGET', KEYS[1], '') or ''
if expected ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], '', ARGV[2])
return 1`;

/**
 * The ledger as Redis remembers it, for look-ups: one hash, file key to `OFFSET RECORD`. It may be behind the topic, never
 * ahead of what the topic has decided, and may vanish at any time. Every method throws CdrError `redis-unavailable`.
 */
export class LedgerProjection {
  private readonly redis: Redis;
  private readonly key: string;
  private readonly contents: KnownContents;

  constructor(redis: Redis, settings: RedisSettings) {
    this.redis = redis;
    this.key = `${settings.prefix}:ledger`;
    this.contents = new KnownContents(redis, settings);
  }

  /** A file's entry and the position, taken in one command: a pair read in two may never have existed. */
  async ask(file: string): Promise<ProjectedFile> {
    const [position, value] = await redisCall('asking the projection', () =>
      this.redis.hmget(this.key, POSITION_FIELD, file),
    );
    const entry = parseEntry(value);
    const offset = entry ? undefined : /^\d+(?= )/.exec(value ?? '')?.[0];
    return {
      entry,
      unreadableAt: offset === undefined ? undefined : BigInt(offset),
      position: parsePosition(position),
    };
  }

  /** Undefined when there is none. One that nobody can read is taken away: nothing could ever be put in its place. */
  async position(): Promise<ProjectionPosition | undefined> {
    const value = await redisCall('reading the position', () => this.redis.hget(this.key, POSITION_FIELD));
    const position = parsePosition(value);
    if (value && !position) await this.script(FORGET_POSITION_SCRIPT, [value]);
    return position;
  }

  /** Records of many files; those that the projection does not know are missing from the map. */
  async records(files: readonly string[]): Promise<Map<string, LedgerRecord>> {
    const found = new Map<string, LedgerRecord>();
    for (let start = 0; start < files.length; start += LOOK_UP_AT_ONCE) {
      const chunk = files.slice(start, start + LOOK_UP_AT_ONCE);
      const values = await redisCall('reading the projection', () => this.redis.hmget(this.key, ...chunk));
      for (const [i, value] of values.entries()) {
        const entry = parseEntry(value);
        if (entry) found.set(chunk[i] as string, entry.record);
      }
    }
    return found;
  }

  /** What a scan decides from, of at most LOOK_UP_AT_ONCE files; those that are not known are missing from the map. */
  async decidingParts(files: readonly string[]): Promise<Map<string, DecidingPart>> {
    const found = new Map<string, DecidingPart>();
    if (files.length === 0) return found;
    const answers = (await redisCall('reading the projection', () =>
      this.redis.eval(DECIDING_PARTS_SCRIPT, 1, this.key, ...files),
    )) as (string | 0)[];
    for (const [i, answer] of answers.entries()) {
      const part = answer === 0 ? undefined : (parseDecidingPart(answer) ?? wholeDecidingPart(answer));
      if (part) found.set(files[i] as string, part);
    }
    return found;
  }

  /**
   * Takes in a stretch of the ledger: entries and new position in one script, only if the position is still the one that
   * the reading began from (else a wipe in between would hide records for ever). False when it is not.
   */
  async advance(
    expected: ProjectionPosition | undefined,
    next: ProjectionPosition,
    records: readonly ProjectedRecord[],
  ): Promise<boolean> {
    const fields = records.flatMap((known) => [fileOf(known), known.offset.toString(), textOf(known)]);
    await this.contents.remember(recordsOf(records));
    return this.script(ADVANCE_SCRIPT, [formatPosition(expected), formatPosition(next), ...fields]);
  }

  /** Forgets everything and begins at a position. False when the position is no longer the expected one. */
  async restart(expected: ProjectionPosition | undefined, next: ProjectionPosition): Promise<boolean> {
    await this.contents.forget();
    return this.script(RESTART_SCRIPT, [formatPosition(expected), formatPosition(next)]);
  }

  /**
   * Takes in one decided record; ignored when the projection has a later one. Gives the other file that was ingested with
   * the same content before, if there is one: for reports, it decides nothing.
   */
  async put({ offset, record }: LedgerEntry): Promise<string | undefined> {
    const args = [record.file, offset.toString(), JSON.stringify(record), contentOf(record)];
    const first = await redisCall('writing the projection', () =>
      this.redis.eval(PUT_SCRIPT, 2, this.key, this.contents.key, ...args),
    );
    return typeof first !== 'string' || first === '' || first === record.file ? undefined : first;
  }

  /**
   * Puts right what differs from the ledger: `newest` are some files' newest decided records. What is remembered or true
   * from the offset `below` on is left to the next catch-up.
   */
  async mend(newest: readonly LedgerText[], below: bigint): Promise<Mended> {
    const mended: string[] = [];
    let present = 0;
    for (let start = 0; start < newest.length; start += LOOK_UP_AT_ONCE) {
      const chunk = newest.slice(start, start + LOOK_UP_AT_ONCE);
      const files = chunk.map(({ file }) => file);
      const values = await redisCall('reading the projection', () => this.redis.hmget(this.key, ...files));
      for (const [i, right] of chunk.entries()) {
        const value = values[i] ?? null;
        if (value !== null) present++;
        if (right.offset >= below || value === `${right.offset} ${right.text}`) continue;
        if (value !== null && (offsetOf(value) >= below || isThat(value, projectedOf(right)))) continue;
        if (!(await this.putRight(right.file, value, valueOf(projectedOf(right))))) continue;
        mended.push(right.file);
        if (value === null) present++;
      }
    }
    return { mended, present };
  }

  /**
   * Forgets what the ledger does not know below the same offset: everything but `known`. Looks only when there are more
   * files than those that were `present`. Returns the files that are forgotten.
   */
  async forgetOthers(known: Pick<ReadonlySet<string>, 'has'>, present: number, below: bigint): Promise<string[]> {
    const forgotten: string[] = [];
    if ((await this.size()) <= present) return forgotten;
    for await (const [file, value] of this.fields())
      if (!known.has(file) && offsetOf(value) < below && (await this.putRight(file, value, ''))) forgotten.push(file);
    return forgotten;
  }

  /** Everything it knows, in any order, a file at most once. Files that come or go meanwhile may be missing. */
  async *entries(): AsyncGenerator<LedgerEntry> {
    for await (const [, value] of this.fields()) {
      const entry = parseEntry(value);
      if (entry) yield entry;
    }
  }

  /** How many files it knows. */
  async size(): Promise<number> {
    const fields = await redisCall('counting the projection', () => this.redis.hlen(this.key));
    return Math.max(0, fields - 1);
  }

  private async *fields(): AsyncGenerator<[file: string, value: string]> {
    const seen = new Set<string>();
    let cursor = '0';
    do {
      const [next, fields] = await redisCall('reading the projection', () =>
        this.redis.hscan(this.key, cursor, 'COUNT', SCAN_COUNT),
      );
      cursor = next;
      for (let i = 0; i < fields.length; i += 2) {
        const file = fields[i] as string;
        // HSCAN may show a field twice
        if (file === POSITION_FIELD || seen.has(file)) continue;
        seen.add(file);
        yield [file, fields[i + 1] as string];
      }
    } while (cursor !== '0');
  }

  /** False when the value is not the one any more that was found wrong. */
  private putRight(file: string, found: string | null, right: string): Promise<boolean> {
    return this.script(MEND_SCRIPT, [file, found ?? '', right]);
  }

  private async script(script: string, args: string[]): Promise<boolean> {
    const answer = await redisCall('writing the projection', () => this.redis.eval(script, 1, this.key, ...args));
    return answer === 1;
  }
}

export function sameLedger(a: LedgerIdentity, b: LedgerIdentity): boolean {
  return a.clusterId === b.clusterId && a.topic === b.topic;
}

/** True of two ledgers of one name, when it is certain that they are two. */
export function isMadeAnew(a: LedgerIdentity, b: LedgerIdentity): boolean {
  return sameLedger(a, b) && a.topicId !== undefined && b.topicId !== undefined && a.topicId !== b.topicId;
}

function fileOf(known: ProjectedRecord): string {
  return 'record' in known ? known.record.file : known.file;
}

function recordsOf(known: readonly ProjectedRecord[]): LedgerRecord[] {
  return known.flatMap((each) => ('record' in each ? [each.record] : []));
}

function textOf(known: ProjectedRecord): string {
  return 'record' in known ? JSON.stringify(known.record) : UNREADABLE;
}

function projectedOf({ offset, file, text }: LedgerText): ProjectedRecord {
  const parsed = parseLedgerRecord(text);
  return parsed.ok ? { offset, record: parsed.record } : { offset, file, problem: parsed.problem };
}

function valueOf(known: ProjectedRecord): string {
  return `${known.offset} ${textOf(known)}`;
}

/** -1 for what was not written by us. */
function offsetOf(value: string): bigint {
  return BigInt(/^\d+(?= )/.exec(value)?.[0] ?? -1);
}

/** Whether a value says what the ledger says; a worker's record has its fields in another order than one that was read. */
function isThat(value: string, right: ProjectedRecord): boolean {
  if (!('record' in right)) return value === valueOf(right);
  return isDeepStrictEqual(parseEntry(value), { offset: right.offset, record: right.record });
}

function formatPosition(position: ProjectionPosition | undefined): string {
  if (!position) return '';
  const { clusterId, topic, topicId, offset } = position;
  return JSON.stringify({ clusterId, topic, topicId, offset: offset.toString() });
}

function parsePosition(value: string | null | undefined): ProjectionPosition | undefined {
  if (!value) return undefined;
  const parsed = positionSchema.safeParse(parseJson(value));
  return parsed.success ? { ...parsed.data, offset: BigInt(parsed.data.offset) } : undefined;
}

/** Undefined for what is not a record as we write it: the topic is asked then. */
function parseEntry(value: string | null | undefined): LedgerEntry | undefined {
  const match = value ? /^(\d+) (.*)$/s.exec(value) : null;
  if (!match) return undefined;
  const parsed = ledgerRecordSchema.safeParse(parseJson(match[2] as string));
  return parsed.success ? { offset: BigInt(match[1] as string), record: parsed.data } : undefined;
}

function wholeDecidingPart(value: string): DecidingPart | undefined {
  const entry = parseEntry(value);
  return entry ? decidingPartOf(entry.record) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
