import type { LedgerRecord } from '@cdr/core/ledger-record';
import type { LedgerReader } from '@cdr/kafka/ledger-reader';

/** Over how long the rate is taken. */
const RATE_WINDOW_MS = 3_000;

/** Follows the ledger topic itself: what is done is what is committed there, and nothing else. */
export class LedgerWatch {
  /** The newest decided record of each file. */
  readonly records = new Map<string, LedgerRecord>();
  readonly #reader: LedgerReader;
  #position: bigint | undefined;
  #changedAt = Date.now();
  #history: { at: number; rows: number }[] = [];

  constructor(reader: LedgerReader) {
    this.#reader = reader;
  }

  /** Takes in what was decided since the last call. */
  async refresh(): Promise<void> {
    this.#position ??= await this.#reader.start();
    for await (const { entries, position } of this.#reader.readCommitted(this.#position)) {
      for (const { record } of entries) this.records.set(record.file, record);
      if (entries.length > 0) this.#changedAt = Date.now();
      this.#position = position;
    }
    const now = Date.now();
    this.#history.push({ at: now, rows: this.rows });
    this.#history = this.#history.filter(({ at }) => at >= now - RATE_WINDOW_MS);
  }

  /** When something was committed last, ms since 1970. */
  get changedAt(): number {
    return this.#changedAt;
  }

  get committedFiles(): number {
    return this.#sum((record) => (record.state === 'committed' ? 1 : 0));
  }

  get rows(): number {
    return this.#sum((record) => record.rows);
  }

  /** Of the last seconds. */
  get rowsPerSecond(): number {
    const [first] = this.#history;
    const last = this.#history.at(-1);
    if (first === undefined || last === undefined || last.at === first.at) return 0;
    return ((last.rows - first.rows) * 1000) / (last.at - first.at);
  }

  /** From the start of the first attempt that counts to the last commit. */
  get durationMs(): number {
    const records = [...this.records.values()];
    const startedAt = Math.min(...records.map((record) => Date.parse(record.startedAt)));
    return Math.max(...records.map((record) => Date.parse(record.committedAt))) - startedAt;
  }

  /** Bytes of files that this worker has committed. */
  bytesCommittedBy(worker: string): number {
    return this.#sum((record) => (record.worker === worker ? record.byteOffset : 0));
  }

  #sum(amount: (record: LedgerRecord) => number): number {
    let sum = 0;
    for (const record of this.records.values()) sum += amount(record);
    return sum;
  }
}
