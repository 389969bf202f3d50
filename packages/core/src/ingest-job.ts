import { z } from 'zod';
import { fileIdentitySchema } from './ledger-record.ts';

/** Name of the BullMQ queue. */
export const QUEUE_NAME = 'cdr-files';

/**
 * What a job carries: the file, what the scanner saw of it, and as which generation it is wanted. Validated where it is
 * added and where it is taken: a job can also come from a dashboard. No subscriber data.
 */
export const ingestJobSchema = fileIdentitySchema.extend({
  /** File key: path below SFTP_REMOTE_PATH. */
  file: z.string().min(1),
  feed: z.string().min(1),
  generation: z.number().int().positive(),
  /** Since when, in ms since 1970, this size and mtime has been waiting for the end of its last line. */
  heldSince: z.number().int().optional(),
});

export type IngestJob = z.infer<typeof ingestJobSchema>;
