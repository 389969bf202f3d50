import { createHmac } from 'node:crypto';
import { keyTypeOf } from './host-key.ts';

/** A server's public keys as a known_hosts file has them, raw. */
export interface KnownHostKeys {
  readonly accepted: readonly Buffer[];
  /** Never to be accepted again, whatever else the file says. */
  readonly revoked: readonly Buffer[];
  /** Lines for the host that hold no key we could compare: certificate authorities, and what is not readable. */
  readonly unusable: number;
}

/**
 * Pure: the keys of one server in the text of an OpenSSH known_hosts file. Format: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT":
 * plain names with `*`, `?` and `!`, hashed names, `[host]:port` for other ports than 22, and the markers. Unlike ssh, a key
 * that is known for a host's port 22 is not taken for its other ports: nobody has said that they are one server.
 */
export function knownHostKeys(text: string, host: string, port: number): KnownHostKeys {
  const name = (port === 22 ? host : `[${host}]:${port}`).toLowerCase();
  const accepted: Buffer[] = [];
  const revoked: Buffer[] = [];
  let unusable = 0;
  for (const line of text.split(/\r?\n/)) {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined;
    const [names = '', type = '', base64 = ''] = fields;
    if (names === '' || names.startsWith('#') || !isFor(names, name)) continue;
    const key = Buffer.from(base64, 'base64');
    if (keyTypeOf(key) !== type) unusable++;
    else if (marker === undefined) accepted.push(key);
    else if (marker === '@revoked') revoked.push(key);
    else unusable++;
  }
  return { accepted: accepted.filter((key) => !revoked.some((bad) => bad.equals(key))), revoked, unusable };
}

function isFor(names: string, name: string): boolean {
  if (names.startsWith('|')) return isHashOf(names, name);
  const patterns = names.toLowerCase().split(',');
  const matches = (pattern: string): boolean => asRegExp(pattern).test(name);
  // one that is excluded stays so, wherever in the list it stands
  if (patterns.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1)))) return false;
  return patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern));
}

function isHashOf(hashed: string, name: string): boolean {
  const [, version, salt = '', hash = ''] = hashed.split('|');
  return version === '1' && createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

function asRegExp(pattern: string): RegExp {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`, 's');
}
