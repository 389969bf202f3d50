import { setTimeout as sleep } from 'node:timers/promises';
import type { ScanLease } from '@cdr/queue/scan-lease';
import type { TellScan } from './scan-once.ts';

/** A third of the shortest lease. */
const KEEP_EVERY_MS = 5_000;
const SAY_EVERY_MS = 30_000;

type Lease = Pick<ScanLease, 'hold'>;

/** Of a scan that takes long: keeps the lease, and says now and then how far it is. */
export function keepWhileScanning(
  lease: Lease,
  say: (line: string) => void,
  { keepEveryMs = KEEP_EVERY_MS, sayEveryMs = SAY_EVERY_MS } = {},
): TellScan {
  let heldAt = performance.now();
  let saidAt = heldAt;
  return async (howFar) => {
    const now = performance.now();
    if (now - heldAt >= keepEveryMs) {
      heldAt = now;
      await lease.hold();
    }
    if (now - saidAt >= sayEveryMs) {
      saidAt = now;
      say(`the scan goes on: ${howFar}`);
    }
  };
}

/** The pause behind a scan of ours, which may be longer than the lease. Ends early when the signal is aborted. */
export async function keepWhilePausing(
  lease: Lease,
  pauseMs: number,
  stop: AbortSignal,
  keepEveryMs = KEEP_EVERY_MS,
): Promise<void> {
  const until = performance.now() + pauseMs;
  for (let left = pauseMs; left > 0 && !stop.aborted; left = until - performance.now()) {
    await sleep(Math.min(left, keepEveryMs), undefined, { signal: stop }).catch(() => undefined);
    // the next scan will say what is wrong with Redis
    if (left > keepEveryMs && !stop.aborted) await lease.hold().catch(() => undefined);
  }
}
