/** Below this many rows no ratio is judged. */
export const REJECT_RATIO_FROM_ROWS = 100;

/** True when a transaction's rejects are so many that the file is probably not what the feed expects. */
export function tooManyRejects(rows: number, rejects: number, maxRatio: number): boolean {
  return rows >= REJECT_RATIO_FROM_ROWS && rejects / rows > maxRatio;
}
