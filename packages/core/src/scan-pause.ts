/** A scan takes at most a tenth of the time: huge directories are listed less often. */
const PAUSE_PER_SCAN = 10;
/** What makes a directory huge are its entries. A scan that took long for another reason is no reason to wait. */
const LONGEST_PAUSE_PER_ENTRY_MS = 1;

/**
 * How long to wait from the end of one scan to the next, in ms: the interval, or ten times as long as a huge directory
 * took. A scan of a small one that was held up by a slow service is followed by the next as usual; otherwise a minute of
 * trouble would cost ten of standing still.
 */
export function scanPauseMs(scan: { intervalMs: number; tookMs: number; entries: number }): number {
  const huge = Math.min(scan.tookMs * PAUSE_PER_SCAN, scan.entries * LONGEST_PAUSE_PER_ENTRY_MS);
  return Math.max(scan.intervalMs, huge);
}
