/** `f-` keeps an id from being all digits, empty, or one of BullMQ's own key names (a file may be called `delayed`). */
const PREFIX = 'f-';
const PLAIN = /^[A-Za-z0-9._-]*$/;

/**
 * BullMQ job id of a file: one per file key, ever, so that a file has one lock. Everything but letters, digits, `.`, `_`
 * and `-` is escaped as `~` and two hex digits per UTF-8 byte (a colon separates BullMQ's keys); one to one.
 */
export function jobIdOf(fileKey: string): string {
  // a hundred thousand names a scan, nearly all of them plain
  if (PLAIN.test(fileKey)) return PREFIX + fileKey;
  let id = PREFIX;
  for (const byte of Buffer.from(fileKey, 'utf8')) {
    const char = String.fromCharCode(byte);
    id += /[A-Za-z0-9._-]/.test(char) ? char : `~${byte.toString(16).padStart(2, '0')}`;
  }
  return id;
}

/** The file key of a job id; undefined when the id was not made by jobIdOf. */
export function fileKeyOf(jobId: string): string | undefined {
  if (!jobId.startsWith(PREFIX)) return undefined;
  const bytes: number[] = [];
  const pattern = /~([0-9a-f]{2})|([A-Za-z0-9._-])/gy;
  pattern.lastIndex = PREFIX.length;
  while (pattern.lastIndex < jobId.length) {
    const match = pattern.exec(jobId);
    if (!match) return undefined;
    bytes.push(match[1] === undefined ? (match[2] as string).charCodeAt(0) : Number.parseInt(match[1], 16));
  }
  const fileKey = Buffer.from(bytes).toString('utf8');
  return jobIdOf(fileKey) === jobId ? fileKey : undefined;
}
