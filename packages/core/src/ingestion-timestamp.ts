/**
 * UTC to the microsecond without a zone, `2024-12-07T15:23:45.123456`, as Python's `datetime.utcnow().isoformat()` wrote
 * it. The clock gives milliseconds; the last three digits come from `performance.now`, so they never repeat within one.
 */
export function ingestionTimestamp(epochMs: number): string {
  const micros = Math.floor((epochMs % 1) * 1000);
  return `${new Date(Math.floor(epochMs)).toISOString().slice(0, 23)}${micros.toString().padStart(3, '0')}`;
}
