import { createSecretKey } from 'node:crypto';
import type { Client } from 'ssh2';

/**
 * ssh2 makes a cipher for each packet (AES-GCM) from a key in a Buffer, of which Node makes a key object each time: 12 of
 * the 18 us that a small packet costs. With a key object in its place the cipher is the same, and cheaper. Looks into
 * private fields of the pinned ssh2; where they are others, nothing is changed.
 */
export function keepKeyObjects(client: Client): void {
  const { _protocol: protocol } = client as unknown as {
    _protocol?: { _cipher?: Record<string, unknown>; _decipher?: Record<string, unknown> };
  };
  keepKeyObject(protocol?._cipher, '_encKey');
  keepKeyObject(protocol?._decipher, '_decipherKey');
}

function keepKeyObject(cipher: Record<string, unknown> | undefined, field: string): void {
  const key = cipher?.[field];
  // other ciphers keep their keys under other names, or need them as bytes
  if (cipher && Buffer.isBuffer(key) && /^AESGCM(Dec|C)ipherNative$/.test(cipher.constructor.name))
    cipher[field] = createSecretKey(key);
}
