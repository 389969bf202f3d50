import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import type { LedgerText } from '@cdr/core/ledger-record';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import { LedgerLog } from '@cdr/kafka/testing/ledger-log';
import type { Mended, ProjectionPosition } from '@cdr/queue/ledger-projection';
import { describe, expect, it } from 'vitest';
import { ProjectionCheck, type Compared } from './projection-check.ts';

const LEDGER = { clusterId: 'c', topic: 'cdr-ledger' };

/** Notes what it is compared with. */
class NotedProjection implements Compared {
  readonly shown: string[] = [];
  known: string[] | undefined;
  private readonly at: bigint;

  constructor(at: number) {
    this.at = BigInt(at);
  }

  async position(): Promise<ProjectionPosition | undefined> {
    return { ...LEDGER, offset: this.at };
  }

  async mend(newest: readonly LedgerText[]): Promise<Mended> {
    this.shown.push(...newest.map(({ file, offset }) => `${file} ${offset}`));
    return { mended: [], present: newest.length };
  }

  async forgetOthers(known: ReadonlyMap<string, number>): Promise<string[]> {
    this.known = [...known.keys()];
    return ['a stranger'];
  }
}

/** A file with two records, one with an aborted record behind it, one that cannot be read. */
function ledger(): LedgerLog {
  const log = new LedgerLog();
  const commit = (...args: Parameters<LedgerLog['append']>) => {
    const offset = log.append(...args);
    log.commit(args[0]);
    return offset;
  };
  commit(1, aLedgerRecord({ file: 'a', generation: 1 }));
  commit(2, aLedgerRecord({ file: 'b' }));
  commit(1, aLedgerRecord({ file: 'a', generation: 2 }));
  log.append(2, aLedgerRecord({ file: 'b', generation: 2 }));
  log.abort(2);
  commit(3, { file: 'c', text: '{"v":99}' });
  return log;
}

/** A check of a projection that has seen all of that ledger; it waits for no leader to learn how far the log goes. */
function open() {
  const log = ledger();
  const projection = new NotedProjection(log.end);
  return { log, projection, check: new ProjectionCheck(projection, new LedgerReader(log, LEDGER.topic, 0)) };
}

describe('the check of the whole projection', () => {
  it('compares the newest decided record of each file, readable or not, once an hour', async () => {
    const { projection, check } = open();
    expect(await check.whenDue(LEDGER)).toEqual(['a stranger']);
    expect(projection.shown).toEqual(['b 2', 'a 4', 'c 8']);
    expect(projection.known).toEqual(['a', 'b', 'c']);
    projection.shown.length = 0;
    expect(await check.whenDue(LEDGER)).toEqual([]);
    expect(projection.shown).toEqual([]);
  });

  it('forgets nothing on the word of a broker that does not have all of it, and looks again at the next scan', async () => {
    const { log, projection, check } = open();
    // a deposed leader, which still answers from what it has
    log.highWatermark = 4;
    expect(await check.whenDue(LEDGER)).toEqual([]);
    expect(projection.shown).toEqual([]);
    expect(projection.known).toBeUndefined();
    log.highWatermark = undefined;
    expect(await check.whenDue(LEDGER)).toEqual(['a stranger']);
  });

  it('is not over when a broker that does not have all of it answers in the middle', async () => {
    const { log, projection, check } = open();
    log.answerMaxBytes = 1;
    const whole = log.end;
    log.onFetch = () => {
      // from the second reading on
      if (projection.shown.length > 0) log.highWatermark = 4;
    };
    expect(await check.whenDue(LEDGER)).toEqual([]);
    expect(projection.shown).toEqual(['b 2']);
    expect(projection.known).toBeUndefined();
    log.onFetch = () => undefined;
    log.highWatermark = whole;
    expect(await check.whenDue(LEDGER)).toEqual(['a stranger']);
  });

  it('leaves a projection of another ledger alone', async () => {
    const { projection, check } = open();
    expect(await check.whenDue({ ...LEDGER, topic: 'another' })).toEqual([]);
    expect(projection.shown).toEqual([]);
  });
});
