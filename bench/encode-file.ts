import { readFileSync } from 'node:fs';
import { createCsvTransform } from '@cdr/core/csv/fused-transform';
import type { CsvSink, MessageBlock } from '@cdr/core/csv/csv-transform';
import type { Feed } from '@cdr/core/feeds';
import { ingestionTimestamp } from '@cdr/core/ingestion-timestamp';
import { BufferPool } from '@cdr/kafka/buffer-pool';
import { partitionOfKey } from '@cdr/kafka/murmur2';
import { RecordBatch } from '@cdr/kafka/record-batch';

/** As the read window hands them out. */
const CHUNK_BYTES = 261_120;
const BATCH_MAX_BYTES = 900_000;

/** The CSV step over a file in memory. Returns the number of messages; throws when a row is rejected. */
export function transformFile(file: Buffer, feed: Feed, messages: CsvSink['messages']): number {
  const transform = createCsvTransform({
    sourceFile: 'cdr_data_20240101_000000.csv',
    recordType: feed.name,
    requiredColumns: feed.columns,
    keyColumn: feed.keyColumn,
    checks: feed.checks,
    maxLineBytes: 1 << 20,
    maxMessageBytes: 1_000_000,
    timestamp: () => ingestionTimestamp(Date.now()),
    sink: {
      messages,
      reject: ({ line, reason }) => {
        throw new Error(`line ${line}: ${reason}`);
      },
    },
  });
  for (let at = 0; at < file.length; at += CHUNK_BYTES)
    transform.push(file.subarray(at, at + CHUNK_BYTES), Number.MAX_SAFE_INTEGER);
  transform.end(Number.MAX_SAFE_INTEGER);
  return transform.messages;
}

/** Puts messages into record batches by their key, as the worker does; `full` gets each batch that is full, and the rest. */
export class BatchFiller {
  readonly #pool = new BufferPool(1 << 20, 8);
  readonly #filling: (RecordBatch | undefined)[];
  readonly #full: (batch: RecordBatch, partition: number) => void;

  constructor(partitions: number, full: (batch: RecordBatch, partition: number) => void) {
    this.#filling = Array.from({ length: partitions }, () => undefined);
    this.#full = full;
  }

  add({ count, bytes, valueEnds, keyBytes, keyStarts, keyEnds }: MessageBlock): void {
    let valueStart = 0;
    for (let i = 0; i < count; i++) {
      const [keyStart = 0, keyEnd = 0, valueEnd = 0] = [keyStarts[i], keyEnds[i], valueEnds[i]];
      const partition = partitionOfKey(keyBytes, keyStart, keyEnd, this.#filling.length);
      let batch = (this.#filling[partition] ??= new RecordBatch(this.#pool));
      if (batch.bytes + valueEnd - valueStart > BATCH_MAX_BYTES) {
        this.#full(batch, partition);
        batch = this.#filling[partition] = new RecordBatch(this.#pool);
      }
      batch.append(keyBytes, keyStart, keyEnd, bytes, valueStart, valueEnd);
      valueStart = valueEnd;
    }
  }

  finish(): void {
    for (const [partition, batch] of this.#filling.entries()) if (batch) this.#full(batch, partition);
    this.#filling.fill(undefined);
  }
}

/** The file that a program of the benchmark is given by BENCH_FILE. */
export function givenFile(): Buffer {
  return readFileSync(process.env['BENCH_FILE'] ?? '');
}
