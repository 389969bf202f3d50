import { fateOf } from '@cdr/core/retry-policy';
import type { ErrorCode } from '@cdr/core/errors';

export const EXIT = {
  ok: 0,
  /** The answer is no: something differs, is missing, or could not be done. */
  no: 1,
  /** Wrong usage or settings, logins that are refused among them. */
  usage: 2,
  /** The SFTP server, Kafka or Redis does not answer. */
  away: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_CODES_HELP = `
Exit codes:
  0  done, or the answer is yes
  1  the answer is no: something failed, differs or is not there
  2  wrong usage or wrong settings, refused logins included
  3  the SFTP server, Kafka or Redis cannot be reached`;

const SETTINGS_CODES: ReadonlySet<ErrorCode> = new Set([
  'bad-config',
  'sftp-auth',
  'sftp-host-key',
  'sftp-directory',
  'kafka-auth',
  'redis-auth',
]);

/** What an error's code means for the shell. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  if (SETTINGS_CODES.has(code)) return EXIT.usage;
  return fateOf(code) === 'hold' && code.endsWith('-unavailable') ? EXIT.away : EXIT.no;
}

/** What was asked for cannot be: one line that says why and what to do instead. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
