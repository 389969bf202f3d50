import { CdrError, errorCodeOf } from '@cdr/core/errors';
import type { LedgerEntry, LedgerRecord } from '@cdr/core/ledger-record';
import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import { LedgerLog } from '@cdr/kafka/testing/ledger-log';
import type { TransactionalWriter } from '@cdr/kafka/transactional-writer';
import { describe, expect, it } from 'vitest';
import { changeEntry, type Change, type ChangeParts } from './change-entry.ts';

const FILE = 'cdr_data_20241207_150000.csv';
const TOPIC = 'cdr-ledger';
const request = { generation: 2, by: 'ann@ops', reason: 'why not', at: '2024-12-07T16:00:00.000Z' };
const withRequest: Change = (entry) => (entry && !entry.requested ? { ...entry, requested: request } : undefined);

/** What happens at a writer's commit instead of a commit. */
type Fault = (commit: () => void) => void;

/** A ledger in memory: its log, writers that append to it, and what Redis remembers. */
class MemoryLedger {
  readonly log = new LedgerLog();
  /** Taken by one commit each, in order. */
  readonly faults: Fault[] = [];
  fences = 0;
  /** Called after each fence, with its number. */
  onFenced: (count: number) => void = () => undefined;
  private readonly known = new Map<string, LedgerEntry>();
  private open: number | undefined;

  readonly parts: ChangeParts = {
    ledger: () => ({ clusterId: 'c', topic: TOPIC }),
    ledgerReader: new LedgerReader(this.log, TOPIC),
    projection: {
      ask: async (file) => ({ entry: this.known.get(file), position: undefined, unreadableAt: undefined }),
      put: async (entry) => void this.known.set(entry.record.file, entry),
    },
    writers: { fence: async () => this.fence() },
  };

  /** A record that some attempt has committed. */
  committed(record: LedgerRecord, producer = 1): void {
    this.log.append(producer, record);
    this.log.commit(producer);
  }

  /** Every record of the file that a read_committed reader is shown. */
  async records(): Promise<LedgerRecord[]> {
    const seen: LedgerRecord[] = [];
    // one batch an answer, since a stretch tells only the newest of a file
    this.log.answerMaxBytes = 1;
    for await (const { entries } of this.parts.ledgerReader.readCommitted(0n))
      seen.push(...entries.map(({ record }) => record));
    return seen;
  }

  private fence(): TransactionalWriter {
    if (this.open !== undefined) this.log.abort(this.open);
    this.open = undefined;
    const producer = 100 + ++this.fences;
    this.onFenced(this.fences);
    const mine = (): void => {
      if (producer !== 100 + this.fences) throw new CdrError('fenced', 'fenced');
    };
    const end = (how: 'commit' | 'abort'): void => {
      if (this.open !== producer) return;
      this.open = undefined;
      this.log[how](producer);
    };
    const unused = (): never => {
      throw new Error('a change writes nothing but the ledger record');
    };
    return {
      producerId: String(producer),
      epoch: 0,
      openedAt: undefined,
      ledger: async (record) => {
        mine();
        this.open = producer;
        return BigInt(this.log.append(producer, record));
      },
      commit: async () => {
        const fault = this.faults.shift();
        if (fault) fault(() => end('commit'));
        mine();
        end('commit');
        return { retried: false };
      },
      abort: async () => end('abort'),
      messages: unused,
      message: unused,
      prepare: unused,
      ready: unused,
      flush: unused,
    };
  }
}

const unknown = (): never => {
  throw new CdrError('commit-unknown', 'not answered');
};

describe('changing an entry', () => {
  it('commits what is made of the entry, and Redis hears of it', async () => {
    const ledger = new MemoryLedger();
    ledger.committed(aLedgerRecord({ file: FILE }));
    const result = await changeEntry(FILE, withRequest, ledger.parts);
    expect(result).toEqual({ written: true, record: aLedgerRecord({ file: FILE, requested: request }) });
    expect((await ledger.records()).map(({ requested }) => requested?.generation)).toEqual([undefined, 2]);
    expect((await ledger.parts.projection.ask(FILE)).entry?.record.requested).toEqual(request);
  });

  it('writes the first record of a file, too, in the name of its own producer', async () => {
    const ledger = new MemoryLedger();
    const adopt: Change = (entry, { producerId, epoch }) =>
      entry ? undefined : aLedgerRecord({ file: FILE, state: 'adopted', producerId, epoch });
    expect(await changeEntry(FILE, adopt, ledger.parts)).toMatchObject({
      written: true,
      record: { producerId: '101' },
    });
    expect(await changeEntry(FILE, adopt, ledger.parts)).toMatchObject({
      written: false,
      record: { producerId: '101' },
    });
  });

  it('writes nothing where there is nothing to change', async () => {
    const ledger = new MemoryLedger();
    expect(await changeEntry(FILE, withRequest, ledger.parts)).toEqual({ written: false, record: undefined });
    expect(ledger.log.end).toBe(0);
  });

  it('finds its own record behind a commit that was not answered but happened', async () => {
    const ledger = new MemoryLedger();
    ledger.committed(aLedgerRecord({ file: FILE }));
    ledger.faults.push((commit) => {
      commit();
      unknown();
    });
    expect(await changeEntry(FILE, withRequest, ledger.parts)).toMatchObject({ written: true });
    expect(await ledger.records()).toHaveLength(2);
    expect(ledger.fences).toBe(2);
  });

  it('does not ask once more when its generation has begun before it could see its own record', async () => {
    const ledger = new MemoryLedger();
    ledger.committed(aLedgerRecord({ file: FILE }));
    ledger.faults.push((commit) => {
      commit();
      // a worker takes the request, and the mark is gone with the first commit of its generation
      ledger.committed(aLedgerRecord({ file: FILE, generation: 2 }), 2);
      unknown();
    });
    expect(await changeEntry(FILE, withRequest, ledger.parts)).toMatchObject({
      written: true,
      record: { generation: 1, requested: request },
    });
    expect((await ledger.records()).map(({ generation, requested }) => [generation, requested !== undefined])).toEqual([
      [1, false],
      [1, true],
      [2, false],
    ]);
  });

  it('writes again behind a commit that was not answered and did not happen', async () => {
    const ledger = new MemoryLedger();
    ledger.committed(aLedgerRecord({ file: FILE }));
    ledger.faults.push(unknown);
    expect(await changeEntry(FILE, withRequest, ledger.parts)).toMatchObject({ written: true });
    expect(await ledger.records()).toHaveLength(2);
  });

  it('asks again when an attempt was decided after the answer: the change is of the newer entry', async () => {
    const ledger = new MemoryLedger();
    ledger.committed(aLedgerRecord({ file: FILE }));
    ledger.faults.push(() => {
      throw new CdrError('fenced', 'an attempt has fenced us');
    });
    ledger.onFenced = (count) => {
      if (count === 2) ledger.committed(aLedgerRecord({ file: FILE, generation: 5 }), 2);
    };
    expect(await changeEntry(FILE, withRequest, ledger.parts)).toMatchObject({
      written: true,
      record: { generation: 5, requested: request },
    });
  });

  it('does not commit over a record that appears between the answer and its own', async () => {
    const ledger = new MemoryLedger();
    ledger.committed(aLedgerRecord({ file: FILE }));
    let asked = 0;
    // as if a deposed leader had answered: the record is decided, and the answer did not have it
    const change: Change = (entry, writer) => {
      if (++asked === 1) ledger.committed(aLedgerRecord({ file: FILE, generation: 3 }), 2);
      return withRequest(entry, writer);
    };
    const result = await changeEntry(FILE, change, ledger.parts);
    expect(result).toMatchObject({ written: true, record: { generation: 3 } });
    expect((await ledger.records()).map(({ generation, requested }) => [generation, requested !== undefined])).toEqual([
      [1, false],
      [3, false],
      [3, true],
    ]);
  });

  it('does not repeat what repeating cannot mend', async () => {
    const ledger = new MemoryLedger();
    ledger.committed(aLedgerRecord({ file: FILE }));
    ledger.faults.push(() => {
      throw new CdrError('kafka-unavailable', 'away');
    });
    const code = await changeEntry(FILE, withRequest, ledger.parts).then(() => 'no error', errorCodeOf);
    expect(code).toBe('kafka-unavailable');
    expect(ledger.fences).toBe(1);
    expect(await ledger.records()).toHaveLength(1);
  });
});
