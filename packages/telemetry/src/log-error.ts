import { CdrError } from '@cdr/core/errors';

/** An error as a log line shows it. */
export interface LoggedError {
  readonly type: string;
  readonly code?: string;
  readonly message: string;
  readonly hint?: string;
  /** Messages of what caused it, outermost first. */
  readonly causes?: readonly string[];
  readonly stack?: string;
}

const MOST_CAUSES = 8;

/**
 * What is logged of an error: code, message, hint and causes. A stack only where nobody foresaw the error; one that has
 * a code says by it where it comes from. Gives a LoggedError; anything but an Error as it is. No other property is shown, since libraries hang whole requests on errors.
 */
export function logError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code, hint } = error instanceof CdrError ? error : { code: systemCodeOf(error), hint: undefined };
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < MOST_CAUSES; cause = cause.cause)
    causes.push(cause.message);
  const foreseen = error instanceof CdrError && error.code !== 'unexpected';
  return {
    type: error.name,
    ...(code === undefined ? {} : { code }),
    message: error.message,
    ...(hint === undefined ? {} : { hint }),
    ...(causes.length === 0 ? {} : { causes }),
    ...(foreseen || error.stack === undefined ? {} : { stack: stackWithCauses(error) }),
  } satisfies LoggedError;
}

/** Such as ECONNRESET. */
function systemCodeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function stackWithCauses(error: Error): string {
  const stacks = [error.stack ?? error.message];
  for (let cause = error.cause; cause instanceof Error && stacks.length <= MOST_CAUSES; cause = cause.cause)
    stacks.push(`caused by: ${cause.stack ?? cause.message}`);
  return stacks.join('\n');
}
