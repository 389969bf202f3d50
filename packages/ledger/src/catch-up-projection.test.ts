import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import { LedgerReader } from '@cdr/kafka/ledger-reader';
import { LedgerLog } from '@cdr/kafka/testing/ledger-log';
import type { ProjectedRecord, ProjectionPosition } from '@cdr/queue/ledger-projection';
import { describe, expect, it } from 'vitest';
import { catchUpProjection, type Followed } from './catch-up-projection.ts';

const LEDGER = { clusterId: 'c', topic: 'cdr-ledger' };
/** More than one script takes in. */
const FILES = 1_200;

/** What Redis remembers, with the scripts' conditions; `beforeScript` is what happens to it in between. */
class MemoryProjection implements Followed {
  offsets = new Map<string, bigint>();
  at: ProjectionPosition | undefined;
  scripts = 0;
  beforeScript: (script: number) => void = () => undefined;

  async position(): Promise<ProjectionPosition | undefined> {
    return this.at;
  }

  async restart(expected: ProjectionPosition | undefined, next: ProjectionPosition): Promise<boolean> {
    if (expected?.offset !== this.at?.offset) return false;
    this.offsets.clear();
    this.at = next;
    return true;
  }

  async advance(
    expected: ProjectionPosition | undefined,
    next: ProjectionPosition,
    records: readonly ProjectedRecord[],
  ): Promise<boolean> {
    this.beforeScript(++this.scripts);
    if (expected?.offset !== this.at?.offset) return false;
    for (const known of records) {
      const file = 'record' in known ? known.record.file : known.file;
      if ((this.offsets.get(file) ?? -1n) < known.offset) this.offsets.set(file, known.offset);
    }
    this.at = next;
    return true;
  }

  snapshot(): () => void {
    const offsets = new Map(this.offsets);
    const { at } = this;
    return () => {
      this.offsets = new Map(offsets);
      this.at = at;
    };
  }
}

/** A ledger of many files, the first of which has a second record at the end. */
function longLedger(): { reader: LedgerReader; newest: Map<string, bigint>; end: bigint } {
  const log = new LedgerLog();
  const newest = new Map<string, bigint>();
  const commit = (file: string): void => {
    newest.set(file, BigInt(log.append(1, aLedgerRecord({ file }))));
    log.commit(1);
  };
  for (let i = 0; i < FILES; i++) commit(`cdr_data_${i}.csv`);
  commit('cdr_data_0.csv');
  return { reader: new LedgerReader(log, LEDGER.topic), newest, end: BigInt(log.end) };
}

describe('catching up with a long ledger', () => {
  it('takes it in by several scripts, each of which moves the position and leaves nothing behind it', async () => {
    const { reader, newest, end } = longLedger();
    const projection = new MemoryProjection();
    const positions: bigint[] = [];
    projection.beforeScript = () => {
      const at = projection.at?.offset ?? 0n;
      positions.push(at);
      // what the projection must know is in it, or has a later record that an asker's tail still shows
      for (const [file, offset] of newest) if (offset < at) expect(projection.offsets.get(file)).toBe(offset);
    };
    expect(await catchUpProjection(projection, reader, LEDGER)).toMatchObject({ records: FILES });
    expect(new Set(positions).size).toBe(3);
    expect(projection.at?.offset).toBe(end);
    expect(projection.offsets).toEqual(newest);
  });

  it('notices a Redis that went back between two of them to what it was before the first', async () => {
    const { reader, newest, end } = longLedger();
    const projection = new MemoryProjection();
    let goBack: (() => void) | undefined;
    projection.beforeScript = (script) => {
      if (script === 1) goBack = projection.snapshot();
      if (script === 3) goBack?.();
    };
    await catchUpProjection(projection, reader, LEDGER);
    expect(projection.at?.offset).toBe(end);
    expect(projection.offsets).toEqual(newest);
  });
});
