import { InvalidArgumentError } from 'commander';
import { parseTime, TIME_FORMS } from './parse-time.ts';

/** Option parsers for commander: what they throw, it reports with the option's name. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

/** ms since 1970. */
export function timeValue(text: string): number {
  const ms = parseTime(text, Date.now());
  if (ms === undefined) throw new InvalidArgumentError(`It must be a time: ${TIME_FORMS}.`);
  return ms;
}
