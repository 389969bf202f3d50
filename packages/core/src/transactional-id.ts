import { createHash } from 'node:crypto';

/**
 * The transactional id of a file: a hash of the ledger topic's name and the file key, so that any two attempts at one
 * file fence each other, whatever their generation, and two deployments on one cluster do not.
 */
export function transactionalIdOf(ledgerTopic: string, fileKey: string): string {
  const hash = createHash('sha256').update(ledgerTopic).update('\0').update(fileKey).digest('base64url');
  return `cdr-${hash.slice(0, 32)}`;
}
