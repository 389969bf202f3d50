const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DATE = /^(\d{4})-?(\d\d)-?(\d\d)(?:[T _](\d\d):?(\d\d)(?::?(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/;

/** Ways to write a time, for help texts and messages. */
export const TIME_FORMS = '2024-12-07, 2024-12-07T15:00:00Z, 20241207_150000, or 90m, 2h, 3d ago';

/**
 * A time as an operator writes it, in ms since 1970; undefined when it is none. Without a zone it is UTC, as the times in
 * file names are taken to be. A number with s, m, h or d is that long before `nowMs`.
 */
export function parseTime(text: string, nowMs: number): number | undefined {
  const ago = /^(\d{1,6})([smhd])$/.exec(text.trim());
  if (ago) return nowMs - Number(ago[1]) * (UNIT_MS[ago[2] ?? ''] ?? 0);
  const match = DATE.exec(text.trim());
  if (!match) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', zone = 'Z'] = match;
  const offset = zone === 'Z' || zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${offset}`);
  // Date.parse takes the 31st of February for the 2nd of March
  return Number.isNaN(ms) || new Date(`${year}-${month}-${day}T00:00:00Z`).getUTCDate() !== Number(day)
    ? undefined
    : ms;
}

/** The time in a file's name (`..._YYYYMMDD_HHMMSS...`), in ms since 1970, as UTC; undefined when there is none. */
export function timeOfName(digits: string): number | undefined {
  return digits === '' ? undefined : parseTime(`${digits.slice(0, 8)}_${digits.slice(8)}`, 0);
}
