import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CdrError, describeError, errorCodeOf } from '@cdr/core/errors';
import { LEDGER_VERSION, type LedgerRecord } from '@cdr/core/ledger-record';
import { transactionalIdOf } from '@cdr/core/transactional-id';
import { BatchingWriters } from '@cdr/kafka/batching-writer';
import { countCommitted } from '@cdr/kafka/committed-counter';
import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import { deleteTopics, ensureTopics } from '@cdr/kafka/topics';
import type { TransactionalWriter } from '@cdr/kafka/transactional-writer';
import type { KafkaConfig } from './config.ts';

export interface StepResult {
  readonly step: string;
  readonly ok: boolean;
  /** What happened instead, or what was seen. */
  readonly detail: string;
}

const ROWS = 20;
const TRANSACTION_TIMEOUT_MS = 60_000;
/** A marker may be written a little after its commit was answered. */
const MARKER_WAIT_MS = 20_000;
const TOPIC_READY_MS = 30_000;

/**
 * Tries out on the real cluster what the exactly-once protocol rests on, with scratch topics that are deleted afterwards.
 * Every step runs, whatever became of the others. Throws CdrError when the scratch topics cannot be made.
 */
export async function checkProtocol(
  { kafka, topics, writer }: KafkaConfig,
  report: (result: StepResult) => void,
): Promise<StepResult[]> {
  const prefix = `${topics.ledgerTopic.slice(0, 200)}-check-${randomBytes(4).toString('hex')}`;
  const scratch = {
    recordTopics: [`${prefix}-data`],
    rejectsTopic: `${prefix}-rejects`,
    ledgerTopic: `${prefix}-ledger`,
    partitions: 1,
    replication: topics.replication,
  };
  const names = [...scratch.recordTopics, scratch.rejectsTopic, scratch.ledgerTopic];
  const results: StepResult[] = [];
  const step = async (name: string, run: () => Promise<string>): Promise<void> => {
    let result: StepResult;
    try {
      result = { step: name, ok: true, detail: await run() };
    } catch (error) {
      result = { step: name, ok: false, detail: describeError(error) };
    }
    results.push(result);
    report(result);
  };

  const cluster = new KafkaCluster(kafka);
  try {
    await ensureTopics(kafka, scratch);
    await cluster.connect([]);
    const [dataTopic] = scratch.recordTopics;
    for (const topic of names) await untilThere(cluster, topic);
    const settings = { ...writer, ledgerTopic: scratch.ledgerTopic, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
    const bench = new Bench(cluster, new BatchingWriters(cluster, settings), scratch.ledgerTopic, dataTopic ?? '');
    for (const [name, run] of Object.entries(STEPS)) await step(name, () => run(bench));
  } finally {
    await cluster.close();
    await step('the scratch topics are deleted', async () => {
      await deleteTopics(kafka, names);
      return `${names.length} topics`;
    });
  }
  return results;
}

type Step = (bench: Bench) => Promise<string>;

/** What each step proves is its name; the reason is in docs/architecture.md, by the same words. */
const STEPS: Readonly<Record<string, Step>> = {
  'a commit shows its rows and its ledger record': async (bench) => {
    const writer = await bench.fence('shown');
    const rows = await bench.writeRows(writer);
    await writer.ledger(bench.record('shown', writer));
    await writer.commit();
    await bench.mustCount(writer, rows, ROWS);
    const { entry } = await bench.askAfterFence('shown');
    must(entry !== undefined, 'the ledger record was not found after the commit');
    return `${ROWS} rows visible`;
  },
  'an abort hides its rows': async (bench) => {
    const writer = await bench.fence('aborted');
    const rows = await bench.writeRows(writer);
    await writer.abort();
    await bench.mustCount(writer, rows, 0);
    return `${ROWS} rows written, none visible`;
  },
  'a fence refuses the commit of the earlier producer': async (bench) => {
    const earlier = await bench.fence('commit');
    const rows = await bench.writeRows(earlier);
    await bench.fence('commit');
    const refusal = await refusalOf(() => earlier.commit(), 'the earlier producer could commit');
    await bench.mustCount(earlier, rows, 0);
    return refusal;
  },
  'a fence refuses what the earlier producer writes': async (bench) => {
    const earlier = await bench.fence('produce');
    const rows = await bench.writeRows(earlier);
    await bench.fence('produce');
    const refusal = await refusalOf(() => bench.writeRows(earlier), 'the earlier producer could write');
    await bench.mustCount(earlier, rows, 0);
    return refusal;
  },
  'a zombie that wakes after its successor has committed is refused': async (bench) => {
    const zombie = await bench.fence('zombie');
    const lost = await bench.writeRows(zombie);
    await zombie.ledger(bench.record('zombie', zombie));
    const successor = await bench.fence('zombie');
    const kept = await bench.writeRows(successor);
    await successor.ledger(bench.record('zombie', successor));
    await successor.commit();
    const refusal = await refusalOf(() => zombie.commit(), 'the zombie could commit');
    await bench.mustCount(zombie, lost, 0);
    await bench.mustCount(successor, kept, ROWS);
    const { entry } = await bench.askAfterFence('zombie');
    must(
      entry?.record.producerId === successor.producerId && entry.record.epoch === successor.epoch,
      'the ledger has the record of the zombie',
    );
    return refusal;
  },
  'the ledger is read right while another transaction is open at and below the record': async (bench) => {
    const other = await bench.fence('open');
    const openAt = await other.ledger(bench.record('open', other));
    const writer = await bench.fence('behind');
    const offset = await writer.ledger(bench.record('behind', writer));
    await writer.commit();
    // the position may be where the open transaction begins, below it, or beyond it at our own record
    const start = await bench.reader.start();
    for (const from of [start, openAt, offset]) {
      const { entry } = await bench.askAfterFence('behind', from);
      must(entry?.offset === offset, `from offset ${from} the record at ${offset} was not found`);
    }
    const { entry: undecided } = await bench.askAfterFence('nobody', openAt);
    must(undecided === undefined, 'a record of another file was taken for ours');
    must((await bench.seenFrom(openAt)) === 0, 'a read_committed reader was shown records of an open transaction');
    await other.abort();
    await bench.until('the record behind the aborted one is visible', async () => (await bench.seenFrom(openAt)) === 1);
    return `found at offset ${offset} behind an open transaction at ${openAt}`;
  },
};

/** The scratch topics, and what steps do with them. */
class Bench {
  readonly reader: LedgerReader;
  private readonly cluster: KafkaCluster;
  private readonly writers: BatchingWriters;
  private readonly ledgerTopic: string;
  private readonly dataTopic: string;

  constructor(cluster: KafkaCluster, writers: BatchingWriters, ledgerTopic: string, dataTopic: string) {
    this.cluster = cluster;
    this.writers = writers;
    this.ledgerTopic = ledgerTopic;
    this.dataTopic = dataTopic;
    this.reader = new LedgerReader(cluster, ledgerTopic);
  }

  fence(file: string): Promise<TransactionalWriter> {
    return this.writers.fence(transactionalIdOf(this.ledgerTopic, file));
  }

  /** Writes rows in a transaction and waits until they are acknowledged. */
  async writeRows(writer: TransactionalWriter): Promise<Awaited<ReturnType<TransactionalWriter['flush']>>> {
    await writer.prepare([this.dataTopic]);
    for (let i = 0; i < ROWS; i++)
      writer.message(this.dataTopic, Buffer.from(`key-${i}`), Buffer.from(`{"check":${i}}`));
    return writer.flush();
  }

  record(file: string, { producerId, epoch }: TransactionalWriter): LedgerRecord {
    const now = new Date().toISOString();
    return {
      v: LEDGER_VERSION,
      file,
      feed: 'check',
      state: 'committed',
      topic: this.dataTopic,
      generation: 1,
      size: 0,
      mtimeMs: 0,
      sha256: '',
      byteOffset: 0,
      rows: ROWS,
      messages: ROWS,
      rejects: 0,
      ranges: [],
      producerId,
      epoch,
      attempt: 1,
      jobId: '',
      worker: 'cdr check',
      startedAt: now,
      committedAt: now,
    };
  }

  /** What an attempt does: the fence decides whatever was open, then the ledger's tail is read. */
  async askAfterFence(file: string, from?: bigint): ReturnType<LedgerReader['readTail']> {
    await this.fence(file);
    return this.reader.readTail(file, from ?? (await this.reader.start()));
  }

  /** Ledger records that a read_committed reader is shown from an offset on. */
  async seenFrom(offset: bigint): Promise<number> {
    let seen = 0;
    for await (const { entries } of this.reader.readCommitted(offset)) seen += entries.length;
    return seen;
  }

  async mustCount(
    { producerId, epoch }: TransactionalWriter,
    ranges: Awaited<ReturnType<TransactionalWriter['flush']>>,
    expected: number,
  ): Promise<void> {
    const own = ranges.map((range) => ({ ...range, producerId, epoch }));
    const counts = await countCommitted(this.cluster, own, { waitMs: MARKER_WAIT_MS });
    const found = counts.reduce((sum, { records }) => sum + records, 0);
    const whole = counts.length > 0 && counts.every(({ state }) => state === 'whole');
    must(whole, `the rows could not be counted: ${counts.map(({ state }) => state).join(', ')}`);
    must(found === expected, `a read_committed reader is shown ${found} of ${ROWS} rows, expected ${expected}`);
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + MARKER_WAIT_MS;
    while (!(await holds())) {
      must(performance.now() < deadline, `it did not happen in time that ${what}`);
      await sleep(100);
    }
  }
}

/** The broker's refusal; only one of a fenced producer counts, not that of a broker that is away. */
async function refusalOf(action: () => Promise<unknown>, otherwise: string): Promise<string> {
  try {
    await action();
  } catch (error) {
    const fenced = errorCodeOf(error) === 'fenced' || (error instanceof Error && errorCodeOf(error.cause) === 'fenced');
    if (!fenced) throw error;
    return describeError(error);
  }
  throw new CdrError('unexpected', otherwise);
}

function must(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new CdrError('unexpected', otherwise);
}

/** A topic that was created a moment ago may not be known to every broker yet. */
async function untilThere(cluster: KafkaCluster, topic: string): Promise<void> {
  const deadline = performance.now() + TOPIC_READY_MS;
  for (;;) {
    try {
      await cluster.partitionCount(topic);
      return;
    } catch (error) {
      if (errorCodeOf(error) !== 'kafka-topic' || performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}
