import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { generateCdrFiles, type GeneratedFile } from '@cdr/core/generate-cdr';
import type { IngestJob } from '@cdr/core/ingest-job';

/** A set of files that is ingested as one measurement. */
export interface FileSet {
  readonly name: string;
  readonly files: number;
  readonly rowsPerFile: number;
}

export const FILE_SETS = {
  S: { name: 'S', files: 200, rowsPerFile: 1_000 },
  SS: { name: 'SS', files: 2_000, rowsPerFile: 1_000 },
  M: { name: 'M', files: 20, rowsPerFile: 50_000 },
  L: { name: 'L', files: 1, rowsPerFile: 1_000_000 },
  XL: { name: 'XL', files: 1, rowsPerFile: 10_000_000 },
} as const satisfies Record<string, FileSet>;

/** A file of a set as it lies on the server. */
export interface SetFile {
  readonly job: IngestJob;
  readonly rows: number;
}

/** A set that lies on the server, in a directory of its own. */
export interface PreparedSet extends FileSet {
  /** Below the upload directory. */
  readonly directory: string;
  readonly content: readonly SetFile[];
  readonly rows: number;
  readonly bytes: number;
}

/** Rows are generated so many at a time: a file of ten million does not fit into memory. */
const ROWS_AT_ONCE = 50_000;
const SEED = 1;
/** No file is younger than this, whatever the clocks say. */
const MTIME = new Date('2024-06-01T00:00:00Z');

/**
 * Writes the files of a set into a directory of the machine that the SFTP server serves; what is there already, from an
 * earlier call, is kept. The same set has the same bytes everywhere.
 */
export function prepareSet(set: FileSet, uploadDir: string): PreparedSet {
  const directory = `set-${set.name.toLowerCase()}-${set.files}x${set.rowsPerFile}`;
  const local = path.join(uploadDir, directory);
  mkdirSync(local, { recursive: true });
  const content: SetFile[] = [];
  let bytes = 0;
  // names and feeds as the generator gives them
  for (const { name, feed } of generateCdrFiles({ files: set.files, rowsPerFile: 0, seed: SEED })) {
    const file = path.join(local, name);
    if (!existsSync(file)) writeRows(file, content.length, set.rowsPerFile);
    const { size, mtimeMs } = statSync(file);
    bytes += size;
    content.push({ job: { file: name, feed, size, mtimeMs, generation: 1 }, rows: set.rowsPerFile });
  }
  return { ...set, directory, content, rows: set.files * set.rowsPerFile, bytes };
}

/** The bytes of a prepared set's first file, for measurements without a server. */
export function firstFileOf(set: PreparedSet, uploadDir: string): Buffer {
  return readFileSync(path.join(uploadDir, set.directory, set.content[0]?.job.file ?? ''));
}

/** Writes many tiny files, as fast as a local directory takes them. Returns their names. */
export function writeTinyFiles(local: string, files: number): SetFile[] {
  mkdirSync(local, { recursive: true });
  const written: SetFile[] = [];
  for (const file of generateCdrFiles({ files, rowsPerFile: 2, seed: SEED })) {
    writeWithTime(path.join(local, file.name), file.content);
    const { name, feed, rows, content } = file;
    written.push({
      job: { file: name, feed, size: content.length, mtimeMs: MTIME.getTime(), generation: 1 },
      rows,
    });
  }
  return written;
}

function writeRows(file: string, index: number, rows: number): void {
  const output = openSync(file, 'w');
  try {
    for (let done = 0; done < rows; done += ROWS_AT_ONCE) {
      const { content } = nthOfTwoFeeds(
        index,
        Math.min(ROWS_AT_ONCE, rows - done),
        SEED + index * 1_000 + done / ROWS_AT_ONCE,
      );
      writeSync(output, done === 0 ? content : content.subarray(content.indexOf('\n') + 1));
    }
  } finally {
    closeSync(output);
  }
  utimesSync(file, MTIME, MTIME);
}

/** The generator gives data and voice in turn. */
function nthOfTwoFeeds(index: number, rowsPerFile: number, seed: number): GeneratedFile {
  const wanted = index % 2 === 0 ? 'data' : 'voice';
  for (const file of generateCdrFiles({ files: 2, rowsPerFile: rowsPerFile, seed }))
    if (file.feed === wanted) return file;
  throw new Error('the generator has no such feed');
}

function writeWithTime(file: string, content: Buffer): void {
  writeFileSync(file, content);
  utimesSync(file, MTIME, MTIME);
}
