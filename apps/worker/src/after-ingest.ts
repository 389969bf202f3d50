import { CdrError, errorCodeOf } from '@cdr/core/errors';
import { sameIdentity } from '@cdr/core/decide';
import type { FileIdentity } from '@cdr/core/ledger-record';
import type { SftpChannel } from '@cdr/sftp/sftp-channel';
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
  const scanned = `${remotePath.replace(/\/+$/, '')}/`;
  return `${policy.dir}/`.startsWith(scanned) ? ['AFTER_INGEST must move to a directory outside SFTP_REMOTE_PATH'] : [];
}

/** Makes the directory that files are moved to, if there is none. Throws CdrError when it cannot be made. */
export async function prepareAfterIngest(sftp: SftpPool, policy: AfterIngestPolicy): Promise<void> {
  if (policy.kind !== 'move') return;
  await sftp.withChannel(async (channel) => {
    if (!(await channel.exists(policy.dir))) await channel.mkdir(policy.dir);
  });
}

/**
 * Deletes or moves a file that was ingested, if the server still has it as it was ingested: a new upload under its name is
 * left alone. May be repeated after a crash at any point: a file that is gone is fine. Throws CdrError; the rows are in
 * the topic all the same.
 */
export async function afterIngest(
  sftp: SftpPool,
  path: string,
  ingested: FileIdentity,
  policy: AfterIngestPolicy,
): Promise<void> {
  if (policy.kind === 'keep') return;
  await sftp.withChannel(async (channel) => {
    if (!(await isStill(channel, path, ingested))) return;
    try {
      if (policy.kind === 'delete') return await channel.remove(path);
      return await channel.rename(path, await freeName(channel, policy.dir, path));
    } catch (error) {
      // gone meanwhile, by the hands of an attempt before us; or the directory is
      if (errorCodeOf(error) === 'file-vanished' && !(await isStill(channel, path, ingested))) return;
      throw explain(error, policy);
    }
  });
}

async function isStill(channel: SftpChannel, path: string, ingested: FileIdentity): Promise<boolean> {
  try {
    return sameIdentity(await channel.stat(path), ingested);
  } catch (error) {
    if (errorCodeOf(error) === 'file-vanished') return false;
    throw error;
  }
}

/** Numbered when the name is taken. The server refuses to rename onto a file that exists, should one appear in between. */
async function freeName(channel: SftpChannel, dir: string, path: string): Promise<string> {
  const name = path.slice(path.lastIndexOf('/') + 1);
  for (let n = 0; ; n++) {
    const target = `${dir}/${n === 0 ? name : `${name}.${n}`}`;
    if (!(await channel.exists(target))) return target;
  }
}

function explain(error: unknown, policy: AfterIngestPolicy): unknown {
  const where = policy.kind === 'move' ? `moved to ${policy.dir}` : 'deleted';
  const said = `the file is ingested, but cannot be ${where}`;
  const code = errorCodeOf(error);
  if (code === 'file-vanished')
    return new CdrError('sftp-directory', `${said}: there is no such directory on the SFTP server`, {
      hint: 'Make the directory that AFTER_INGEST names, or change AFTER_INGEST.',
      cause: error,
    });
  if (code === 'sftp-permission')
    return new CdrError('sftp-permission', `${said}: the SFTP server refuses it`, {
      hint: 'Give the SFTP user the right, then: cdr retry. Nothing will be ingested twice.',
      cause: error,
    });
  return error;
}
