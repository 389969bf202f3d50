import { isIPv6 } from 'node:net';

export const FAILURES_ALLOWED = 10;
export const WINDOW_MS = 15 * 60_000;
/** An attacker with more addresses than this pushes out his own first ones. */
const ADDRESSES_KEPT = 10_000;

interface Failures {
  readonly since: number;
  count: number;
}

/** Refuses logins from an address after ten wrong passwords, until 15 minutes after the first of them. */
export class LoginLimit {
  private readonly now: () => number;
  private readonly failures = new Map<string, Failures>();

  /** `now` in monotonic milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** How long the address must wait before it may try again; 0 when it may. */
  waitMs(address: string): number {
    const failures = this.current(address);
    if (!failures || failures.count < FAILURES_ALLOWED) return 0;
    return Math.ceil(failures.since + WINDOW_MS - this.now());
  }

  /** Counts a wrong password. A right one takes nothing back: whoever knows one login could go on guessing another. */
  failed(address: string): void {
    const key = network(address);
    const failures = this.current(address) ?? { since: this.now(), count: 0 };
    failures.count++;
    // deleted first, so that the map's order is the order of the last failures
    this.failures.delete(key);
    this.failures.set(key, failures);
    if (this.failures.size > ADDRESSES_KEPT) this.forgetOldest();
  }

  private current(address: string): Failures | undefined {
    const failures = this.failures.get(network(address));
    return failures && this.now() - failures.since < WINDOW_MS ? failures : undefined;
  }

  private forgetOldest(): void {
    for (const key of this.failures.keys()) {
      this.failures.delete(key);
      return;
    }
  }
}

/** An IPv6 customer has a /64 at least: all of it counts as one address. */
function network(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.toLowerCase().split('%', 1)[0]?.split('::') ?? [];
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined ? first : [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last];
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}
