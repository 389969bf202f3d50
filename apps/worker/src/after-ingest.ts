import { CdrError } from '@cdr/core/errors';
import { sameIdentity } from '@cdr/core/decide';
import type { FileIdentity } from '@cdr/core/ledger-record';
import type { SftpPool } from '@cdr/sftp/sftp-pool';

/** What happens to a file on the server once its commit is known. */
export type AfterIngestPolicy =
  { readonly kind: 'keep' } | { readonly kind: 'delete' } | { readonly kind: 'move'; readonly dir: string };

/** Reads AFTER_INGEST: keep, delete, or move:/DIR. */
export function parseAfterIngest(value: string): AfterIngestPolicy {
  if (value.startsWith('move:')) return { kind: 'move', dir: value.slice('move:'.length).replace(/\/+$/, '') || '/' };
  return value === 'delete' ? { kind: 'delete' } : { kind: 'keep' };
}

/** A directory that is scanned would ingest its files again. */
export function afterIngestProblem(value: string, remotePath: string): string[] {
  const policy = parseAfterIngest(value);
  if (policy.kind !== 'move') return [];
  return policy.dir === remotePath.replace(/\/+$/, '')
    ? ['AFTER_INGEST must move to a directory outside SFTP_REMOTE_PATH']
    : [];
}

/**
 * Deletes or moves a file that was ingested, if the server still has it as it was ingested: a new upload under its name is
 * left alone. May be repeated after a crash at any point: a file that is gone is fine.
 */
export async function afterIngest(
  sftp: SftpPool,
  path: string,
  ingested: FileIdentity,
  policy: AfterIngestPolicy,
): Promise<void> {
  if (policy.kind === 'keep') return;
  await sftp.withChannel(async (channel) => {
    try {
      if (!sameIdentity(await channel.stat(path), ingested)) return;
      if (policy.kind === 'delete') return await channel.remove(path);
      const name = path.slice(path.lastIndexOf('/') + 1);
      for (let n = 0; ; n++) {
        const target = `${policy.dir}/${n === 0 ? name : `${name}.${n}`}`;
        // the server refuses to rename onto a file that exists, should one appear in between
        if (!(await channel.exists(target))) return await channel.rename(path, target);
      }
    } catch (error) {
      if (error instanceof CdrError && error.code === 'file-vanished') return;
      throw error;
    }
  });
}
