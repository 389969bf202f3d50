import type { BenchResult } from './result.ts';

/** A promise of the project's about speed, and what was measured of it. */
export interface TargetCheck {
  readonly what: string;
  readonly target: string;
  readonly measured: string;
  readonly met: boolean;
}

const RSS_MB = 256;

/** Holds a result against every target that it says something about. */
export function checkTargets({ sets, farAway, scan, limits }: BenchResult): TargetCheck[] {
  const checks: TargetCheck[] = [];
  const check = (what: string, target: string, value: number | undefined, shown: string, met: boolean): void => {
    if (value !== undefined && Number.isFinite(value)) checks.push({ what, target, measured: shown, met });
  };
  const of = (name: string) => sets.find((set) => set.name === name);
  const [L, S, SS] = [of('L'), of('S'), of('SS')];
  const broker = Math.max(
    ...limits.filter(({ name }) => /^broker alone.*partition/.test(name)).map((l) => l.recordsPerSecond),
  );
  if (L) {
    const cpu = L.ingester.cpuSecondsPerMillion.median;
    const rate = L.ingester.recordsPerSecond.median;
    check('L, CPU of the worker', '<= 2.0 s per million records', cpu, `${cpu.toFixed(2)} s`, cpu <= 2);
    check('L, one worker process', '>= 400,000 records/s', rate, `${thousands(rate)} records/s`, rate >= 400_000);
    const share = broker > 0 ? rate / broker : NaN;
    check('L, against broker alone', '>= 60 %', share, percent(share), share >= 0.6);
    const times = ratio(L);
    check('L, CPU against the reference', '>= 8 x less', times, `${times.toFixed(1)} x`, times >= 8);
    for (const { roundTripMs, recordsPerSecond } of farAway) {
      const kept = recordsPerSecond.median / rate;
      const target = roundTripMs === 50 ? '>= 50 % of loopback' : 'as fast as loopback (no target)';
      check(`L at ${roundTripMs} ms round trip`, target, kept, percent(kept), roundTripMs !== 50 || kept >= 0.5);
    }
  }
  if (S) {
    const rate = S.ingester.filesPerSecond.median;
    const cpu = S.ingester.cpuMsPerFile.median;
    check('S, one worker process', '>= 150 files/s', rate, `${rate.toFixed(0)} files/s`, rate >= 150);
    check('S, CPU of the worker', '<= 5 ms per file', cpu, `${cpu.toFixed(2)} ms`, cpu <= 5);
    const times = ratio(S);
    check('S, CPU against the reference', '>= 4 x less', times, `${times.toFixed(1)} x`, times >= 4);
  }
  if (SS) {
    const rate = SS.ingester.filesPerSecond.median;
    const cpu = SS.ingester.cpuMsPerFile.median;
    check('SS, one worker process', '>= 150 files/s', rate, `${rate.toFixed(0)} files/s`, rate >= 150);
    check('SS, CPU of the worker', '<= 5 ms per file', cpu, `${cpu.toFixed(2)} ms`, cpu <= 5);
  }
  for (const set of sets) {
    const rss = set.ingester.peakRssMb.max;
    check(`${set.name}, RSS of the worker`, `<= ${RSS_MB} MB`, rss, `${rss.toFixed(0)} MB`, rss <= RSS_MB);
  }
  if (scan) {
    const { untilEnqueuedSeconds: first, nothingNewIngestedSeconds: again, peakRssMb } = scan;
    const rss = Math.max(...Object.values(peakRssMb));
    const what = `scan of ${thousands(scan.files)} files`;
    check(`${what}, all enqueued`, '<= 20 s', first, `${first.toFixed(1)} s`, first <= 20);
    check(`${what}, nothing new`, '<= 3 s', again, `${again.toFixed(1)} s`, again <= 3);
    check(`${what}, RSS`, `<= ${RSS_MB} MB`, rss, `${rss.toFixed(0)} MB`, rss <= RSS_MB);
  }
  return checks;
}

function ratio({ ingester, reference }: BenchResult['sets'][number]): number {
  return reference ? reference.cpuSecondsPerMillion.median / ingester.cpuSecondsPerMillion.median : NaN;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
