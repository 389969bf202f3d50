const BACKSLASH = 0x5c;
const QUOTE = 0x22;

/**
 * By byte: what stands for it inside a JSON string, or undefined when it stands for itself. Bytes from 0x80 on are pieces
 * of UTF-8 sequences and stand for themselves (RFC 8259, section 7).
 */
export const JSON_ESCAPES: readonly (Uint8Array | undefined)[] = Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === BACKSLASH || byte === QUOTE
    ? Buffer.from(escapeJson(String.fromCharCode(byte)), 'latin1')
    : undefined,
);

/** The longest escape, as in `\u001f`: how much a byte can grow. */
export const MAX_ESCAPE_BYTES = 6;

/** A text as it stands between the quotes of a JSON string. */
export function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
