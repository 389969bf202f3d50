import { CdrError } from '@cdr/core/errors';
import type { LedgerIdentity, ProjectionPosition } from '@cdr/queue/ledger-projection';

const HINT = 'Nothing is enqueued or ingested until you decide: cdr start-over --help, docs/operations.md.';

/** The topic is shorter than it was. */
export function endsBefore({ topic, offset }: ProjectionPosition, cause: unknown): CdrError {
  return new CdrError('ledger-lost', `ledger topic ${topic} ends before offset ${offset}, which it had reached`, {
    hint: `Records of it were lost or the topic was made anew. ${HINT}`,
    cause,
  });
}

/** The topic is another one of the same name, whatever is in it by now. */
export function madeAnew({ topic }: LedgerIdentity): CdrError {
  return new CdrError('ledger-lost', `ledger topic ${topic} was deleted and created again`, {
    hint: `Redis remembers the one before. ${HINT}`,
  });
}
