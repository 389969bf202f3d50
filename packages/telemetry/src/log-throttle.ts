export interface LogThrottleOptions {
  readonly everyMs?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

interface Line {
  writtenAt: number;
  suppressed: number;
}

/** Keys come from error messages, of which there may be any number. */
const KEYS_KEPT = 1_000;

/** At most one line a minute for each key: an outage must not fill the log. */
export class LogThrottle {
  private readonly everyMs: number;
  private readonly now: () => number;
  private readonly lines = new Map<string, Line>();

  constructor(options: LogThrottleOptions = {}) {
    this.everyMs = options.everyMs ?? 60_000;
    this.now = options.now ?? (() => performance.now());
  }

  /** Calls `write` when the key is due, with the number of calls that were left out since the last line. */
  run(key: string, write: (suppressed: number) => void): void {
    const now = this.now();
    const line = this.lines.get(key);
    if (line && now - line.writtenAt < this.everyMs) {
      line.suppressed++;
      return;
    }
    // deleted first, so that the map's order is the order of the last lines
    this.lines.delete(key);
    this.lines.set(key, { writtenAt: now, suppressed: 0 });
    if (this.lines.size > KEYS_KEPT) this.forgetOldest();
    write(line?.suppressed ?? 0);
  }

  private forgetOldest(): void {
    for (const key of this.lines.keys()) {
      this.lines.delete(key);
      return;
    }
  }
}
