import type { RejectCode } from '../rejects.ts';

/**
 * What the values of a column are. A row with a value that is not becomes a reject; a value outside of a list of known
 * ones passes and is counted, since a switch may have learnt a new one.
 */
export type FieldCheck = 'msisdn' | 'integer' | 'date-time' | { readonly known: readonly string[] };

/** By column name. A column that is not here may have any value. */
export type FieldChecks = Readonly<Record<string, FieldCheck>>;

const MSISDN_DIGITS = { min: 5, max: 20 };
/** Every whole number of so many digits fits into 64 bits. */
const INTEGER_MAX_DIGITS = 18;
const FRACTION_MAX_DIGITS = 9;

/** No check; the others are indexes into RULES. */
export const UNCHECKED = 0;
const MSISDN = 1;
const INTEGER = 2;
const DATE_TIME = 3;
const KNOWN = 4;

const KINDS = { msisdn: MSISDN, integer: INTEGER, 'date-time': DATE_TIME } as const;

interface Rule {
  readonly code: RejectCode;
  /** Continues "COLUMN is not ...". */
  readonly expected: string;
}

const RULES: Readonly<Record<number, Rule>> = {
  [MSISDN]: {
    code: 'bad-msisdn',
    expected: `${MSISDN_DIGITS.min} to ${MSISDN_DIGITS.max} digits, with or without + before them`,
  },
  [INTEGER]: { code: 'bad-integer', expected: `a whole number of 1 to ${INTEGER_MAX_DIGITS} digits` },
  [DATE_TIME]: { code: 'bad-time', expected: 'a date and time like 2024-01-31 23:59:59' },
};

/**
 * The checks of one file's columns, on bytes as they stand between the quotes of a JSON string: whatever passes has
 * nothing that JSON would escape, and an escape passes no check. So one pass does for plain and for quoted records.
 */
export class ColumnChecks {
  /** By column: UNCHECKED, or what `holds` must be asked about. */
  readonly kinds: Uint8Array;
  readonly #columns: readonly string[];
  readonly #known: readonly (readonly Uint8Array[])[];
  /** The column that `holds` said no to last. */
  #failed = 0;
  /** Columns of the row at hand with unknown values: the first #unknownInRow of them. */
  readonly #unknownColumns: Int32Array;
  #unknownInRow = 0;
  readonly #unknownCounts: Float64Array;

  constructor(columns: readonly string[], checks: FieldChecks) {
    // a column may be called `constructor`
    const checkOf = columns.map((column) => (Object.hasOwn(checks, column) ? checks[column] : undefined));
    this.#columns = columns;
    this.kinds = Uint8Array.from(checkOf, (check) => {
      if (check === undefined) return UNCHECKED;
      return typeof check === 'string' ? KINDS[check] : KNOWN;
    });
    this.#known = checkOf.map((check) =>
      typeof check === 'object' ? check.known.map((value) => Buffer.from(JSON.stringify(value).slice(1, -1))) : [],
    );
    this.#unknownColumns = new Int32Array(columns.length);
    this.#unknownCounts = new Float64Array(columns.length);
  }

  /** Before the first value of a row. */
  beginRow(): void {
    this.#unknownInRow = 0;
  }

  /** Whether a value of a checked column, bytes[from .. to), is what it must be. */
  holds(column: number, bytes: Uint8Array, from: number, to: number): boolean {
    switch (this.kinds[column]!) {
      case INTEGER:
        if (to > from && to - from <= INTEGER_MAX_DIGITS && areDigits(bytes, from, to)) return true;
        break;
      case MSISDN:
        if (isMsisdn(bytes, from, to)) return true;
        break;
      case DATE_TIME:
        if (isDateTime(bytes, from, to)) return true;
        break;
      case KNOWN:
        if (!isOneOf(this.#known[column]!, bytes, from, to)) this.#unknownColumns[this.#unknownInRow++] = column;
        return true;
      default:
        return true;
    }
    this.#failed = column;
    return false;
  }

  /** The row has become a message: its unknown values count. */
  countRow(): void {
    for (let i = 0; i < this.#unknownInRow; i++) this.#unknownCounts[this.#unknownColumns[i]!]!++;
  }

  /** The row that was counted last is none after all. */
  uncountRow(): void {
    for (let i = 0; i < this.#unknownInRow; i++) this.#unknownCounts[this.#unknownColumns[i]!]!--;
    this.#unknownInRow = 0;
  }

  /** Code and reason of the reject that the last refused value makes of its row. */
  get failure(): { readonly code: RejectCode; readonly reason: string } {
    const rule = RULES[this.kinds[this.#failed]!]!;
    return { code: rule.code, reason: `${this.#columns[this.#failed]} is not ${rule.expected}` };
  }

  /** By column: how many values outside of its list the counted rows had. */
  get unknownValues(): ReadonlyMap<string, number> {
    const entries = this.#columns.map((column, i) => [column, this.#unknownCounts[i]!] as const);
    return new Map(entries.filter(([, count]) => count > 0));
  }
}

const ZERO = 0x30;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const SPACE = 0x20;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;

function isDigit(byte: number): boolean {
  return (byte - ZERO) >>> 0 <= 9;
}

function areDigits(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (!isDigit(bytes[at]!)) return false;
  return true;
}

function isMsisdn(bytes: Uint8Array, from: number, to: number): boolean {
  const digitsFrom = from < to && bytes[from] === PLUS ? from + 1 : from;
  const count = to - digitsFrom;
  return count >= MSISDN_DIGITS.min && count <= MSISDN_DIGITS.max && areDigits(bytes, digitsFrom, to);
}

const DATE_TIME_BYTES = 'YYYY-MM-DD HH:MM:SS'.length;
const DAYS_IN_MONTH = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * `YYYY-MM-DD HH:MM:SS` or with a T in between, then perhaps a fraction, then perhaps a zone: Z, or an offset as +HH,
 * +HHMM or +HH:MM. A day of the calendar, from year 1 on, and no leap second: what others can read as a time.
 */
function isDateTime(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < DATE_TIME_BYTES) return false;
  const year = twoDigits(bytes, from) * 100 + twoDigits(bytes, from + 2);
  const month = twoDigits(bytes, from + 5);
  const day = twoDigits(bytes, from + 8);
  const isDate =
    year >= 1 &&
    bytes[from + 4] === MINUS &&
    month >= 1 &&
    month <= 12 &&
    bytes[from + 7] === MINUS &&
    day >= 1 &&
    day <= daysIn(month, year);
  if (!isDate || (bytes[from + 10] !== SPACE && bytes[from + 10] !== LETTER_T)) return false;
  const isTime =
    isWithin(twoDigits(bytes, from + 11), 23) &&
    bytes[from + 13] === COLON &&
    isWithin(twoDigits(bytes, from + 14), 59) &&
    bytes[from + 16] === COLON &&
    isWithin(twoDigits(bytes, from + 17), 59);
  if (!isTime) return false;

  let at = from + DATE_TIME_BYTES;
  if (at < to && bytes[at] === DOT) {
    const fractionFrom = ++at;
    while (at < to && isDigit(bytes[at]!)) at++;
    if (at === fractionFrom || at - fractionFrom > FRACTION_MAX_DIGITS) return false;
  }
  return at === to || isZone(bytes, at, to);
}

function isZone(bytes: Uint8Array, from: number, to: number): boolean {
  if (bytes[from] === LETTER_Z) return to === from + 1;
  if ((bytes[from] !== PLUS && bytes[from] !== MINUS) || to < from + 3) return false;
  if (!isWithin(twoDigits(bytes, from + 1), 23)) return false;
  if (to === from + 3) return true;
  const minutes = bytes[from + 3] === COLON ? from + 4 : from + 3;
  return to === minutes + 2 && isWithin(twoDigits(bytes, minutes), 59);
}

function daysIn(month: number, year: number): number {
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeapYear ? 29 : DAYS_IN_MONTH[month]!;
}

/** Far below zero when one of the two is no digit, so that a sum of them shows it. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - ZERO;
  const ones = bytes[at + 1]! - ZERO;
  return tens >>> 0 <= 9 && ones >>> 0 <= 9 ? tens * 10 + ones : -10_000;
}

function isWithin(value: number, max: number): boolean {
  return value >= 0 && value <= max;
}

function isOneOf(values: readonly Uint8Array[], bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value.length !== to - from) continue;
    let same = 0;
    while (same < value.length && value[same] === bytes[from + same]) same++;
    if (same === value.length) return true;
  }
  return false;
}
