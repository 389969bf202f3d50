/**
 * Moments of an attempt that are announced. Nobody listens in production; crash tests start a worker of their own main
 * that kills, freezes or fails the process at one of them.
 */
export const ATTEMPT_POINTS = [
  'owned',
  'fenced',
  'asked',
  'opened',
  /** A chunk was turned into messages; announced for each. */
  'streamed',
  'before-ledger',
  'after-ledger',
  'before-commit',
  /** The commit was answered; Redis knows nothing of it. */
  'committed',
  'projected',
  /** In the middle of AFTER_INGEST: the commit is known, the file still there. */
  'before-after-ingest',
  'after-after-ingest',
] as const;

export type AttemptPoint = (typeof ATTEMPT_POINTS)[number];

/** Resolves when the attempt may go on. */
export type Announce = (point: AttemptPoint, fileKey: string) => Promise<void> | void;

export const announceToNobody: Announce = () => undefined;
