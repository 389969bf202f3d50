/** `1,234,567` */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `1 file`, `2 files` */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** The two largest units that fit: `3 d 4 h`, `2 min 5 s`, `0 s`. */
export function duration(ms: number): string {
  let left = Math.max(0, ms);
  const words: string[] = [];
  for (const [unit, size] of UNITS) {
    const amount = Math.floor(left / size);
    left -= amount * size;
    if (amount > 0) words.push(`${amount} ${unit}`);
    // nothing smaller than what follows the largest unit
    if (words.length === 2 || (words.length === 1 && amount === 0)) break;
  }
  return words.join(' ') || '0 s';
}

/** `2024-12-07 15:23:45Z`, from ms since 1970 or an ISO time. */
export function time(at: number | string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`;
}
