import path from 'node:path';
import { generateCdrFiles, type GeneratedFile } from '@cdr/core/generate-cdr';
import { SftpPool } from '@cdr/sftp/sftp-pool';
import type { SftpSettings } from '@cdr/sftp/sftp-settings';
import type { DemoOptions } from './options.ts';

/** A file on the SFTP server, and what was put in it. */
export interface UploadedFile {
  readonly name: string;
  readonly feed: 'data' | 'voice';
  /** CSV records: without the header, damaged ones included. */
  readonly rows: number;
  /** Of the rows, those that were cut off on purpose. */
  readonly damaged: number;
  readonly bytes: number;
}

export interface Upload {
  readonly files: readonly UploadedFile[];
  /** The one that takes long enough to be interrupted. */
  readonly large: UploadedFile;
  /** Bytes of the largest of the others. */
  readonly ordinaryBytes: number;
}

const FROM = new Date('2024-01-01T00:00:00Z');
const HOUR_MS = 3_600_000;
const UPLOADS_AT_ONCE = 4;

/** Large enough to be in work for a second and more, and larger than all that a worker may hold besides. */
const LARGE_ROWS = 300_000;
const LARGE_ROWS_PER_ORDINARY_ROW = 6;

/** In every so-manyth file a row that ends too soon, so that there are rejects to account for. */
const DAMAGED_EVERY = 9;
const DAMAGED_ROW = Buffer.from('+27821234567,1523\r\n');

/** Generates the files of the demo and puts them on the SFTP server, where they wait for a scanner. */
export async function uploadFiles(settings: SftpSettings, options: DemoOptions): Promise<Upload> {
  const sftp = new SftpPool(settings);
  try {
    const directory = settings.remotePath.replace(/\/$/, '');
    await sftp.withChannel((channel) => channel.mkdir(directory));
    const uploaded: UploadedFile[] = [];
    // one generator for all uploaders: few files are in memory at a time
    const generated = damaged(generateCdrFiles({ ...options, rowsPerFile: options.rows, from: FROM }));
    const upload = async (files: Iterable<DamagedFile>): Promise<void> =>
      sftp.withChannel(async (channel) => {
        for (const { content, ...file } of files) {
          await channel.writeFile(path.posix.join(directory, file.name), content);
          uploaded.push({ ...file, bytes: content.length });
        }
      });
    await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, () => upload(generated)));
    const ordinaryBytes = Math.max(...uploaded.map((file) => file.bytes));
    await upload(largeFile(options));
    const large = uploaded.at(-1);
    if (large === undefined) throw new Error('Nothing was uploaded.');
    return { files: uploaded, large, ordinaryBytes };
  } finally {
    await sftp.close();
  }
}

type DamagedFile = Omit<UploadedFile, 'bytes'> & Pick<GeneratedFile, 'content'>;

function* damaged(files: Iterable<GeneratedFile>): Generator<DamagedFile> {
  let count = 0;
  for (const file of files) {
    if (count++ % DAMAGED_EVERY > 0) yield { ...file, damaged: 0 };
    else yield { ...file, content: Buffer.concat([file.content, DAMAGED_ROW]), rows: file.rows + 1, damaged: 1 };
  }
}

/** Its name puts it behind a third of the others: files are taken in the order of the times in their names. */
function* largeFile({ files, rows, seed }: DemoOptions): Generator<DamagedFile> {
  const from = new Date(FROM.getTime() + Math.floor(files / 3 / 2) * HOUR_MS + HOUR_MS / 2);
  const rowsPerFile = Math.max(LARGE_ROWS, LARGE_ROWS_PER_ORDINARY_ROW * rows);
  for (const file of generateCdrFiles({ files: 1, rowsPerFile, seed: seed + 1, from })) yield { ...file, damaged: 0 };
}
