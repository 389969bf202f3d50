import { z } from 'zod';

/** Version of the record's shape. A reader refuses a later one rather than guess. */
export const LEDGER_VERSION = 1;

/** What a listing says of a file: the cheap part of "is it still the same". mtime has the server's one-second grain. */
export const fileIdentitySchema = z.object({
  size: z.number().int().nonnegative(),
  mtimeMs: z.number().int(),
});
export type FileIdentity = z.infer<typeof fileIdentitySchema>;

/**
 * Offsets that the broker acknowledged for one partition, first and last inclusive. Other files' batches may lie between
 * them; those of this file carry producerId and epoch (the record's own where the range has none).
 */
const offsetRangeSchema = z.object({
  topic: z.string(),
  partition: z.number().int().nonnegative(),
  first: z.string().regex(/^\d+$/),
  last: z.string().regex(/^\d+$/),
  producerId: z.string().optional(),
  epoch: z.number().int().optional(),
});
export type OffsetRange = z.infer<typeof offsetRangeSchema>;

const changedSchema = fileIdentitySchema.extend({ sha256: z.string(), seenAt: z.string() });
export type ChangedFile = z.infer<typeof changedSchema>;

const requestedSchema = z.object({
  generation: z.number().int().positive(),
  by: z.string(),
  reason: z.string(),
  at: z.string(),
});
export type ReingestRequest = z.infer<typeof requestedSchema>;

/**
 * One entry of the ledger topic: what is true of one file. Key of the message is `file`, the path below
 * SFTP_REMOTE_PATH. In `partial` and `committed`, rows = messages + rejects; counts are of the whole generation so far.
 */
export const ledgerRecordSchema = z
  .object({
    v: z.literal(LEDGER_VERSION),
    file: z.string().min(1),
    feed: z.string(),
    state: z.enum(['partial', 'committed', 'adopted']),
    topic: z.string(),
    generation: z.number().int().positive(),
    size: fileIdentitySchema.shape.size,
    mtimeMs: fileIdentitySchema.shape.mtimeMs,
    /** Of the first byteOffset bytes of the content; null in `adopted`, whose bytes we never saw. */
    sha256: z.string().nullable(),
    /** In the content, which of a gzip file is what it was made of: not to be compared with size. */
    byteOffset: z.number().int().nonnegative(),
    rows: z.number().int().nonnegative(),
    messages: z.number().int().nonnegative(),
    rejects: z.number().int().nonnegative(),
    ranges: z.array(offsetRangeSchema),
    producerId: z.string(),
    epoch: z.number().int(),
    attempt: z.number().int().nonnegative(),
    jobId: z.string(),
    worker: z.string(),
    startedAt: z.string(),
    committedAt: z.string(),
    /** The content differs from what was ingested; nothing of it was written. */
    changed: changedSchema.optional(),
    /** An operator wants the file again, as that generation. */
    requested: requestedSchema.optional(),
  })
  .refine((record) => record.rows === record.messages + record.rejects, { message: 'rows is not messages + rejects' });

export type LedgerRecord = z.infer<typeof ledgerRecordSchema>;

/** A decided record of the ledger with the offset that makes one newer than another. */
export interface LedgerEntry {
  readonly offset: bigint;
  readonly record: LedgerRecord;
}

/** A decided record of the ledger as it was written, which this release may not be able to read. */
export interface LedgerText {
  readonly offset: bigint;
  readonly file: string;
  readonly text: string;
}

export type ParsedLedgerRecord =
  { readonly ok: true; readonly record: LedgerRecord } | { readonly ok: false; readonly problem: string };

/** Reads a ledger message's value. Never throws: a record that is not ours to understand is a value, to be reported. */
export function parseLedgerRecord(value: string): ParsedLedgerRecord {
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch {
    return { ok: false, problem: 'not JSON' };
  }
  const version = typeof json === 'object' && json !== null && 'v' in json ? json.v : undefined;
  if (typeof version === 'number' && version > LEDGER_VERSION)
    return { ok: false, problem: `version ${version}; this release knows ${LEDGER_VERSION}` };
  const parsed = ledgerRecordSchema.safeParse(json);
  if (parsed.success) return { ok: true, record: parsed.data };
  const issue = parsed.error.issues[0];
  return { ok: false, problem: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a ledger record'}` };
}
