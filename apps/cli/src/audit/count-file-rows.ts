import { createHash } from 'node:crypto';
import { createCsvTransform } from '@cdr/core/csv/fused-transform';
import { sameIdentity } from '@cdr/core/decide';
import { CdrError, describeError, type ErrorCode } from '@cdr/core/errors';
import type { Feed } from '@cdr/core/feeds';
import type { LedgerRecord } from '@cdr/core/ledger-record';
import { openContent } from '@cdr/sftp/open-content';
import type { SftpChannel } from '@cdr/sftp/sftp-channel';
import type { ServerCount } from './judge-file.ts';

const ALL_ROWS = Number.MAX_SAFE_INTEGER;
const GZIP_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['bad-gzip', 'gzip-truncated']);

/**
 * Counts the rows of a file on the server, as the worker counts them, up to where the ledger says that it was ingested.
 * A compressed file's rows are those that it was made of. A file that is not the one that was ingested, by size and time,
 * is not read.
 */
export async function countFileRows(
  channel: SftpChannel,
  path: string,
  record: LedgerRecord,
  feed: Feed,
  maxLineBytes: number,
): Promise<ServerCount> {
  try {
    // no more is read than was ingested, however small it was made
    const reader = await openContent(channel, path, { expectedSize: record.size, gzipMaxRatio: Infinity });
    try {
      if (!sameIdentity(reader.identity, record)) return { state: 'changed' };
      const hash = createHash('sha256');
      const transform = createCsvTransform({
        sourceFile: record.file,
        recordType: feed.name,
        requiredColumns: feed.columns,
        keyColumn: feed.keyColumn,
        maxLineBytes,
        // rows are counted, whether they became messages or rejects
        maxMessageBytes: Number.MAX_SAFE_INTEGER,
        timestamp: () => '',
        sink: { messages: () => undefined, reject: () => undefined },
      });
      let missing = record.byteOffset;
      while (missing > 0) {
        const chunk = await reader.next();
        if (!chunk) break;
        const part = chunk.subarray(0, missing);
        hash.update(part);
        transform.push(part, ALL_ROWS);
        missing -= part.length;
        reader.release(chunk);
      }
      transform.end(ALL_ROWS);
      return { state: 'counted', rows: transform.rows, sha256: hash.digest('hex') };
    } finally {
      reader.close();
    }
  } catch (error) {
    if (error instanceof CdrError && error.code === 'file-vanished') return { state: 'gone' };
    if (error instanceof CdrError && error.code === 'file-changed') return { state: 'changed' };
    if (error instanceof CdrError && GZIP_FAULTS.has(error.code))
      return { state: 'unreadable', problem: describeError(error) };
    throw error;
  }
}
