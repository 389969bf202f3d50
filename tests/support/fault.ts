import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What a test has ordered to happen inside a process, in the variable FAULT: `POINT:ACTION[:N]`, several with commas.
 * ACTION is kill, freeze or fail at the N-th time (1) that the point is announced; slow: 300 ms at every announcement
 * from then on. A line with the point goes to stdout, synchronously, before the action.
 */
export function faultFrom<Point extends string>(
  variable: string | undefined,
  points: readonly Point[],
): (at: Point) => Promise<void> {
  const faults = (variable ?? '').split(',').flatMap((text) => {
    if (text === '') return [];
    const [point, action = '', nth = '1'] = text.split(':');
    if (!points.includes(point as Point)) throw new Error(`no point is called ${point}`);
    return [{ point, action, nth: Number(nth), seen: 0 }];
  });
  return async (at) => {
    for (const fault of faults) {
      if (fault.point !== at || ++fault.seen < fault.nth) continue;
      if (fault.action === 'slow') await sleep(SLOW_MS);
      if (fault.seen > fault.nth) continue;
      writeSync(1, `${JSON.stringify({ fault: at, action: fault.action })}\n`);
      if (fault.action === 'kill') {
        process.kill(process.pid, 'SIGKILL');
        await new Promise(() => undefined);
      } else if (fault.action === 'freeze') process.kill(process.pid, 'SIGSTOP');
      else if (fault.action === 'fail') throw new Error(`fault injected at ${at}`);
    }
  };
}

const SLOW_MS = 300;
