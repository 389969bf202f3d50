import type { RejectCode } from '../../rejects.ts';
import type { CsvTransformOptions } from '../csv-transform.ts';
import { createCsvTransform } from '../fused-transform.ts';

const EMPTY = Buffer.alloc(0);

export interface Run {
  /** In file order. */
  readonly messages: { readonly key: string; readonly value: Record<string, string> }[];
  readonly rejects: {
    readonly line: number;
    readonly code: RejectCode;
    readonly reason: string;
    readonly raw: string;
  }[];
  readonly rows: number;
  readonly unknownValues: Record<string, number>;
  readonly byteOffset: number;
  readonly line: number;
  /** The state after each push and end. */
  readonly checkpoints: Checkpoint[];
  /** How often `timestamp` was called, and how often push and end. */
  readonly timestamps: number;
  readonly calls: number;
}

export interface Checkpoint {
  readonly byteOffset: number;
  readonly line: number;
  readonly messages: number;
  readonly rejects: number;
}

export interface RunOptions extends Partial<CsvTransformOptions> {
  /** Sizes of the pushed chunks, repeated from the beginning when they run out. Default: all in one. */
  readonly chunkSizes?: readonly number[];
  /** `maxRows` of one call after the other, repeated likewise. Default: no limit. */
  readonly budgets?: readonly number[];
}

/**
 * Puts a whole file through a transform, as a caller does that recycles its buffers and that has row budgets, and checks
 * on the way what must be true after each call.
 */
export function transformFile(file: Buffer, { chunkSizes, budgets = [Infinity], ...options }: RunOptions = {}): Run {
  const messages: Run['messages'] = [];
  const rejects: Run['rejects'] = [];
  const checkpoints: Checkpoint[] = [];
  let timestamps = 0;
  const transform = createCsvTransform({
    sourceFile: 'cdr.csv',
    recordType: 'data',
    requiredColumns: ['a'],
    keyColumn: 'a',
    maxLineBytes: 1024 * 1024,
    maxMessageBytes: 10 * 1024 * 1024,
    timestamp: () => `t${++timestamps}`,
    sink: {
      messages(block) {
        for (let i = 0, start = 0; i < block.count; start = block.valueEnds[i++] ?? 0) {
          const value = block.bytes.toString('utf8', start, block.valueEnds[i]);
          const key = block.keyBytes.toString('utf8', block.keyStarts[i], block.keyEnds[i]);
          messages.push({ key, value: JSON.parse(value) as Record<string, string> });
        }
      },
      reject: ({ raw, ...reject }) => rejects.push({ ...reject, raw: Buffer.from(raw).toString('latin1') }),
    },
    ...options,
  });

  let calls = 0;
  let lastOffset = 0;
  let doneTo = 0;
  const untilDone = (step: (maxRows: number) => boolean): void => {
    for (let isMore = true, first = true; isMore; first = false) {
      const budget = budgets[calls++ % budgets.length] ?? Infinity;
      const rowsBefore = transform.rows;
      isMore = first ? step(budget) : transform.push(EMPTY, budget);
      const { byteOffset, line, rows } = transform;
      if (rows !== messages.length + rejects.length) throw new Error('rows are not messages and rejects');
      if (rows !== transform.messages + transform.rejects) throw new Error('the counts are not what the sink got');
      if (rows - rowsBefore > budget) throw new Error('budget exceeded');
      if (isMore && rows - rowsBefore !== budget) throw new Error('stopped before the budget was used up');
      if (byteOffset > lastOffset && byteOffset < doneTo) throw new Error('a boundary within what was done with');
      if (transform.doneTo < byteOffset) throw new Error('not done with what is finished');
      doneTo = transform.doneTo;
      lastOffset = byteOffset;
      checkpoints.push({ byteOffset, line, messages: messages.length, rejects: rejects.length });
    }
  };
  for (let at = 0, i = 0; at < file.length; i++) {
    const size = chunkSizes?.[i % chunkSizes.length] ?? file.length;
    const chunk = Buffer.from(file.subarray(at, at + size));
    untilDone((maxRows) => {
      const isMore = transform.push(chunk, maxRows);
      chunk.fill(0x22); // the chunk is the caller's again
      return isMore;
    });
    at += size;
  }
  untilDone((maxRows) => transform.end(maxRows));

  const { rows, byteOffset, line } = transform;
  const unknownValues = Object.fromEntries(transform.unknownValues);
  return { messages, rejects, rows, unknownValues, byteOffset, line, checkpoints, timestamps, calls };
}

/** The same without what depends on chunks and budgets: the metadata and the way there. */
export function outcome({ messages, rejects, rows, byteOffset, line }: Run) {
  const values = messages.map(({ key, value: { _ingestion_timestamp, ...value } }) => ({ key, value }));
  return { messages: values, rejects, rows, byteOffset, line };
}
