import { CsvError, parse } from 'csv-parse/sync';

/**
 * Decodes one record, without mercy: no `relax` option, LF and CRLF only.
 * @param record UTF-8, without its line end
 * @returns its fields; undefined when these bytes are not exactly one record with its quotes in place
 */
export function parseStrictly(record: Buffer): readonly string[] | undefined {
  const records = parseAllStrictly(record);
  return records?.length === 1 ? records[0] : undefined;
}

/** The same for records of one length, one after another; undefined when a quote is out of place or a length differs. */
export function parseAllStrictly(records: Buffer): readonly (readonly string[])[] | undefined {
  try {
    const rows: string[][] = parse(records, { record_delimiter: ['\r\n', '\n'] });
    return rows;
  } catch (error) {
    if (error instanceof CsvError) return undefined;
    throw error;
  }
}
