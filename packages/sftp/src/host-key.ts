import { createHash } from 'node:crypto';
import type { ServerHostKeyAlgorithm } from 'ssh2';

/** Fingerprint of a raw public host key, in the form `ssh-keygen -lf` prints: `SHA256:` and base64 without padding. */
export function fingerprintOf(rawKey: Buffer): string {
  return `SHA256:${createHash('sha256').update(rawKey).digest('base64').replace(/=+$/, '')}`;
}

/** The algorithm a raw public key names in its first field, such as `ssh-ed25519`. */
export function keyTypeOf(rawKey: Buffer): string {
  const length = rawKey.length >= 4 ? rawKey.readUInt32BE(0) : 0;
  return length > 0 && length <= 64 && rawKey.length >= 4 + length
    ? rawKey.toString('latin1', 4, 4 + length)
    : 'unknown';
}

/** What a server may sign with, by the kind of key it has (RFC 8332 for RSA), in the order in which ssh2 asks for it. */
const SIGNATURES: ReadonlyMap<string, readonly ServerHostKeyAlgorithm[]> = new Map([
  ['ssh-ed25519', ['ssh-ed25519']],
  ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
  ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
  ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
  ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa']],
]);

/**
 * The algorithms to ask a server for, those of the kinds given first: a server shows one key only, and it should be the one
 * that we know. The others follow, so that a server that has none of ours shows what it has, and is refused for it.
 */
export function hostKeyAlgorithms(types: readonly string[]): ServerHostKeyAlgorithm[] {
  const known = types.flatMap((type) => SIGNATURES.get(type) ?? []);
  return [...new Set([...known, ...[...SIGNATURES.values()].flat()])];
}

/** Compares the key a server shows with the pinned ones and remembers one that did not match. */
export class HostKeyCheck {
  readonly expected: 'any' | readonly string[];
  /** `ssh-ed25519 SHA256:...` of a key that was refused. */
  refused: string | undefined;

  constructor(expected: 'any' | readonly string[]) {
    this.expected = expected;
  }

  /** Synchronous on purpose: ssh2 takes the promise that an async verifier returns for a yes. */
  readonly verify = (rawKey: Buffer): boolean => {
    if (this.expected === 'any') return true;
    const presented = fingerprintOf(rawKey);
    if (this.expected.includes(presented)) return true;
    this.refused = `${keyTypeOf(rawKey)} ${presented}`;
    return false;
  };
}
