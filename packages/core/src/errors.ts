/**
 * Every code an operator or a policy can meet. What each one means for a job is decided in one place, `retry-policy.ts`.
 * Branch on the code, never on the message.
 */
export const ERROR_CODES = [
  // a dependency is away: the job is held under its lock until it is back
  'sftp-unavailable',
  'kafka-unavailable',
  'redis-unavailable',
  // somebody must change something: never retried by itself
  'bad-config',
  'sftp-auth',
  'sftp-host-key',
  'sftp-directory',
  'sftp-permission',
  'kafka-auth',
  'kafka-authorization',
  'kafka-topic',
  'ledger-lost',
  'redis-auth',
  // this file, or this job, cannot go in as it is
  'bad-job-data',
  'bad-header',
  'bad-gzip',
  'gzip-truncated',
  'gzip-too-large',
  'no-feed',
  'file-vanished',
  'too-many-rejects',
  'bad-ledger-record',
  // the attempt lost its ground and starts again or is put back
  'file-changed',
  'fenced',
  'commit-unknown',
  'ledger-moved',
  'shutdown',
  // nobody foresaw it: retried with backoff
  'unexpected',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * An error with a code to branch on. `message` says operation, object and cause; `hint` what an operator does next.
 * Neither may contain a credential or a subscriber number.
 */
export class CdrError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CdrError';
    this.code = code;
    this.hint = options.hint;
  }
}

/** The code of any thrown value: its own when it is a CdrError, else `unexpected`. */
export function errorCodeOf(error: unknown): ErrorCode {
  return error instanceof CdrError ? error.code : 'unexpected';
}

/** One line for a log or an operator: message, innermost cause, and the hint. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  let root: unknown = error;
  for (let depth = 0; depth < 8 && root instanceof Error && root.cause instanceof Error; depth++) root = root.cause;
  const cause =
    root instanceof Error && root !== error && !error.message.includes(root.message) ? `: ${root.message}` : '';
  const text = `${error.message}${cause}`;
  // messages of libraries may end with a full stop of their own
  return error instanceof CdrError && error.hint ? `${text.replace(/\.$/, '')}. ${error.hint}` : text;
}
