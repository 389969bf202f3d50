import { errorCodeOf } from '@cdr/core/errors';
import { aLedgerRecord } from '@cdr/core/testing/ledger-record';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LedgerReader } from './ledger-reader.ts';
import { LedgerLog } from './testing/ledger-log.ts';

const FILES = ['a.csv', 'b.csv', 'c.csv'] as const;
const PRODUCERS = [0, 1, 2, 3] as const;

type Step =
  | { readonly kind: 'write'; readonly producer: number; readonly file: string; readonly readable: boolean }
  | { readonly kind: 'commit' | 'abort'; readonly producer: number }
  /** Every open transaction ends: those of the producers named aborted, the others committed. */
  | { readonly kind: 'settle'; readonly aborted: readonly number[] }
  | { readonly kind: 'plain'; readonly file: string }
  | { readonly kind: 'hole'; readonly offsets: number };

const producer = fc.constantFrom(...PRODUCERS);
const file = fc.constantFrom(...FILES);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      producer,
      file,
      readable: fc.integer({ max: 9, min: 0 }).map((n) => n > 0),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom('commit' as const, 'abort' as const), producer }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), aborted: fc.subarray([...PRODUCERS]) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('plain' as const), file }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hole' as const), offsets: fc.integer({ min: 1, max: 3 }) }) },
);
const steps = fc.array(step, { maxLength: 40, size: 'max' });
const answerMaxBytes = fc.constantFrom(1, 700, 1_500, 4_000, Number.MAX_SAFE_INTEGER);

/** What is known of a record by somebody who was told everything that happened. */
interface Known {
  readonly offset: number;
  readonly file: string;
  readonly readable: boolean;
  /** Offset from which on it is committed; undefined while it is open, or when it was aborted. */
  committedAt: number | undefined;
  aborted: boolean;
}

/** Plays steps into a log and, as naively as can be, into a list of records. */
class World {
  readonly log = new LedgerLog();
  readonly records: Known[] = [];
  private readonly open = new Map<number, Known[]>();
  private generation = 0;

  play(all: readonly Step[]): void {
    for (const one of all) this.playOne(one);
  }

  write(producer: number, file: string, readable = true): number {
    const written = readable
      ? aLedgerRecord({ file, generation: ++this.generation })
      : { file, text: `{"v":2,"file":"${file}"}` };
    const offset = this.log.append(producer, written);
    const known: Known = { offset, file, readable, committedAt: undefined, aborted: false };
    this.records.push(known);
    this.open.set(producer, [...(this.open.get(producer) ?? []), known]);
    return offset;
  }

  /** Records of a file that count below an offset of the log, oldest first. */
  committed(file: string, before: number): Known[] {
    return this.records.filter((it) => it.file === file && it.committedAt !== undefined && it.committedAt < before);
  }

  /** Takes away, as compaction may, what was aborted or replaced below the last stable offset. */
  compact(choose: (index: number) => boolean): void {
    const stable = this.log.lastStableOffset;
    for (const [index, { file, offset, aborted }] of this.records.entries()) {
      const replaced = this.committed(file, stable).some((later) => later.offset > offset && later.offset < stable);
      const decided = aborted || this.records[index]?.committedAt !== undefined;
      if (offset < stable && decided && (aborted || replaced) && choose(index))
        this.log.compact(offset, index % 2 === 0 ? 'nothing' : 'empty-batch');
    }
  }

  private playOne(one: Step): void {
    switch (one.kind) {
      case 'write':
        this.write(one.producer, one.file, one.readable);
        return;
      case 'plain': {
        const offset = this.log.appendPlain(aLedgerRecord({ file: one.file, generation: ++this.generation }));
        this.records.push({ offset, file: one.file, readable: true, committedAt: offset, aborted: false });
        return;
      }
      case 'hole':
        this.log.hole(one.offsets);
        return;
      case 'commit':
      case 'abort':
        this.end(one.producer, one.kind);
        return;
      case 'settle':
        for (const producer of PRODUCERS) this.end(producer, one.aborted.includes(producer) ? 'abort' : 'commit');
    }
  }

  private end(producer: number, how: 'commit' | 'abort'): void {
    const written = this.open.get(producer);
    if (!written) return;
    this.open.delete(producer);
    const marker = this.log[how](producer);
    for (const known of written)
      if (how === 'commit') known.committedAt = marker;
      else known.aborted = true;
  }
}

const readerOf = (world: World) => new LedgerReader(world.log, 'cdr-ledger');

function playedWorld(played: readonly Step[], maxBytes: number, holdBack: number, compactSeed: number): World {
  const world = new World();
  world.play(played);
  world.log.answerMaxBytes = maxBytes;
  world.log.highWatermark = Math.max(0, world.log.end - holdBack);
  if (compactSeed > 0) world.compact((index) => (index * 31 + compactSeed) % 3 === 0);
  return world;
}

const holdBack = fc.integer({ min: 0, max: 3 });
const compactSeed = fc.integer({ min: 0, max: 5 });

describe('in every log', () => {
  it("the tail is the file's newest committed record, or says that it cannot be read", async () => {
    const whereFrom = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        steps,
        answerMaxBytes,
        holdBack,
        compactSeed,
        whereFrom,
        async (played, maxBytes, back, seed, share) => {
          const world = playedWorld(played, maxBytes, back, seed);
          const { highWatermark = 0 } = world.log;
          const from = Math.round(share * highWatermark);
          for (const wanted of FILES) {
            const expected = world.committed(wanted, highWatermark).findLast(({ offset }) => offset >= from);
            const asked = readerOf(world).readTail(wanted, BigInt(from));
            if (expected && !expected.readable) {
              expect(await asked.catch(errorCodeOf)).toBe('bad-ledger-record');
              continue;
            }
            const { entry, barrier } = await asked;
            expect(entry && Number(entry.offset)).toBe(expected?.offset);
            expect(barrier).toBe(BigInt(highWatermark));
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('the stretches hold what is decided below the last stable offset, and end there', async () => {
    const whereFrom = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        steps,
        answerMaxBytes,
        holdBack,
        compactSeed,
        whereFrom,
        async (played, maxBytes, back, seed, share) => {
          const world = playedWorld(played, maxBytes, back, seed);
          const stable = world.log.lastStableOffset;
          const from = Math.round(share * stable);
          const newest = new Map<string, number>();
          const unreadable = new Set<number>();
          let position = from;
          for await (const stretch of readerOf(world).readCommitted(BigInt(from))) {
            for (const { offset, record } of stretch.entries) newest.set(record.file, Number(offset));
            for (const { offset } of stretch.unreadable) unreadable.add(Number(offset));
            expect(Number(stretch.position)).toBeGreaterThan(position);
            position = Number(stretch.position);
          }
          expect(position).toBe(stable);
          for (const wanted of FILES) {
            // a transaction that began below the last stable offset counts as a whole: its marker may be above
            const counted = world
              .committed(wanted, world.log.highWatermark ?? 0)
              .filter(({ offset }) => offset >= from && offset < stable);
            const { offset: last } = counted.findLast(({ readable }) => readable) ?? {};
            // compaction may have taken a readable record that an unreadable one replaced
            const replaced = counted.findLast(({ readable }) => !readable)?.offset ?? -1;
            if (last === undefined || last > replaced || seed === 0) expect(newest.get(wanted)).toBe(last);
            for (const { offset, readable } of counted)
              if (!readable && (seed === 0 || offset === counted.at(-1)?.offset)) expect(unreadable).toContain(offset);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('meeting ourselves fails exactly when a record of the file was decided in between', async () => {
    const own = 99;
    await fc.assert(
      fc.asyncProperty(steps, steps, answerMaxBytes, async (before, between, maxBytes) => {
        const world = playedWorld(before, maxBytes, 0, 0);
        const barrier = world.log.end;
        world.log.highWatermark = undefined;
        const [wanted] = FILES;
        const tail = await readerOf(world)
          .readTail(wanted, 0n)
          .catch(() => undefined);
        if (!tail) return;
        world.play(between);
        const offset = BigInt(world.write(own, wanted));
        const decided = world
          .committed(wanted, world.log.end)
          .some(({ committedAt }) => committedAt !== undefined && committedAt >= barrier);
        const met = await readerOf(world)
          .meetYourself(wanted, tail.barrier, tail.undecided, { offset, producerId: String(own), epoch: 0 })
          .then(() => 'alone', errorCodeOf);
        expect(met).toBe(decided ? 'ledger-moved' : 'alone');
      }),
      { numRuns: 400 },
    );
  });
});
