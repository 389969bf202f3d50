import { generateCdrFiles } from '@cdr/core/generate-cdr';
import { setTimeout as delay } from 'node:timers/promises';
import type { SftpFiles } from '../../tests/support/sftp-files.ts';
import { Random } from './random.ts';

/** A file as it was put on the server. Its content is not kept: it is generated again for the audit. */
export interface SourceFile {
  readonly name: string;
  readonly feed: 'data' | 'voice';
  /** Rows that are messages. */
  readonly good: number;
  /** Rows that end too soon. */
  readonly damaged: number;
  readonly uploadedAt: number;
}

const SMALL_EVERY_MS = 500;
const SMALL_ROWS = { from: 20, to: 400 } as const;
/** Large enough for several transactions and to be in work when a fault comes. */
const LARGE_EVERY = 40;
const LARGE_ROWS = 25_000;
const DAMAGED_EVERY = 7;
const DAMAGED_ROW = '+27821234567,1523\r\n';
const FIRST_HOUR = Date.UTC(2024, 0, 1);
const HOUR_MS = 3_600_000;

/** Puts files on the server, one after another, until it is stopped: small ones, and a large one now and then. */
export class FileSource {
  readonly files: SourceFile[] = [];
  readonly #target: SftpFiles;
  readonly #seed: number;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(target: SftpFiles, seed: number) {
    this.#target = target;
    this.#seed = seed;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when the last file is whole. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** The rows of a file that are messages, as they were written. */
  rowsOf(index: number): string[] {
    return contentOf(this.#seed, index).lines;
  }

  async #run(): Promise<void> {
    for (let index = 0; !this.#stop.signal.aborted; index++) {
      const { name, feed, lines, damaged, text } = contentOf(this.#seed, index);
      this.#target.write(name, text, { atomic: true });
      this.files.push({ name, feed, good: lines.length, damaged, uploadedAt: performance.now() });
      await delay(SMALL_EVERY_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }
}

interface Content {
  readonly name: string;
  readonly feed: 'data' | 'voice';
  readonly lines: string[];
  readonly damaged: number;
  readonly text: string;
}

/** The same for the same seed and number. */
function contentOf(seed: number, index: number): Content {
  const random = new Random(seed * 7_919 + index);
  const large = index % LARGE_EVERY === LARGE_EVERY - 1;
  const rowsPerFile = large ? LARGE_ROWS : random.between(SMALL_ROWS.from, SMALL_ROWS.to);
  const from = new Date(FIRST_HOUR + Math.floor(index / 2) * HOUR_MS);
  // the generator makes files of the two feeds in turn
  const pair = [...generateCdrFiles({ files: 2, rowsPerFile, seed: seed * 1_009 + index, from })];
  const file = pair[index % 2];
  if (!file) throw new Error('no file was generated');
  const text = file.content.toString();
  const damaged = index % DAMAGED_EVERY === DAMAGED_EVERY - 1 ? 1 : 0;
  const lines = text.split('\r\n').slice(1, -1);
  return { name: file.name, feed: file.feed, lines, damaged, text: damaged ? text + DAMAGED_ROW : text };
}
