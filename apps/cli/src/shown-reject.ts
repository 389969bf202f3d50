/** A message of the rejects topic, as `rejectMessage` of core writes it. */
export interface ShownReject {
  readonly line: number;
  readonly code: string;
  readonly reason: string;
  readonly raw: string;
  /** The row's bytes where they are not UTF-8. */
  readonly raw_base64?: string;
}

/** Reads a message's value; one that is not as we write it is shown as it is. */
export function parseReject(value: Buffer | null): ShownReject {
  const text = value?.toString('utf8') ?? '';
  try {
    const { line, code, reason, raw, raw_base64 } = JSON.parse(text) as Partial<Record<keyof ShownReject, unknown>>;
    return {
      line: typeof line === 'number' ? line : 0,
      code: String(code),
      reason: String(reason),
      raw: String(raw),
      ...(typeof raw_base64 === 'string' ? { raw_base64 } : {}),
    };
  } catch {
    return { line: 0, code: '', reason: 'not a message of this program', raw: text };
  }
}

/** RFC 4180, with a header. */
export function rejectsAsCsv(rejects: readonly ShownReject[]): string {
  const rows = rejects.map(({ line, code, reason, raw, raw_base64 = '' }) => [line, code, reason, raw, raw_base64]);
  return [['line', 'code', 'reason', 'raw', 'raw_base64'], ...rows]
    .map((row) => `${row.map((cell) => `"${String(cell).replaceAll('"', '""')}"`).join(',')}\r\n`)
    .join('');
}
