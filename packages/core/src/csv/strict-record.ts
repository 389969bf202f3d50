import { CsvError, parse } from 'csv-parse/sync';

/**
 * Decodes one record, without mercy: no `relax` option, LF and CRLF only.
 * @param record UTF-8, without its line end
 * @returns its fields; undefined when these bytes are not exactly one record with its quotes in place
 */
export function parseStrictly(record: Buffer): readonly string[] | undefined {
  try {
    const records: string[][] = parse(record, { record_delimiter: ['\r\n', '\n'] });
    return records.length === 1 ? records[0] : undefined;
  } catch (error) {
    if (error instanceof CsvError) return undefined;
    throw error;
  }
}
