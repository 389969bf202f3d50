/**
 * Moments of a scan that are announced. Nobody listens in production; crash tests start a scanner of their own main that
 * kills or freezes the process at one of them.
 */
export const SCAN_POINTS = [
  /** The lease is ours, nothing is done. */
  'begun',
  'caught-up',
  /** Listed, looked up and selected; nothing is enqueued. */
  'selected',
  /** The jobs are in the queue; nothing but the queue knows. */
  'enqueued',
] as const;

export type ScanPoint = (typeof SCAN_POINTS)[number];

/** Resolves when the scan may go on. */
export type AnnounceScan = (point: ScanPoint) => Promise<void> | void;

export const announceToNobody: AnnounceScan = () => undefined;
