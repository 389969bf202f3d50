import type { CdrError } from '@cdr/core/errors';

const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 2_000;
const FIRST_REFUSED_PAUSE_MS = 5_000;
const MAX_REFUSED_PAUSE_MS = 60_000;

/**
 * How soon the next connection may be tried. An absent server is asked again after 200 ms, doubling to 2 s. One that
 * refuses the login is left alone for longer, 5 s doubling to 60 s: servers lock out who keeps trying.
 */
export class ConnectBackoff {
  private readonly now: () => number;
  private failure: CdrError | undefined;
  private pauseMs = 0;
  private notBefore = 0;

  /** `now` gives monotonic milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  failed(error: CdrError): void {
    const refused = isRefusal(error);
    const first = refused ? FIRST_REFUSED_PAUSE_MS : FIRST_PAUSE_MS;
    const most = refused ? MAX_REFUSED_PAUSE_MS : MAX_PAUSE_MS;
    const sameAsBefore = this.failure !== undefined && isRefusal(this.failure) === refused;
    this.pauseMs = sameAsBefore ? Math.min(this.pauseMs * 2, most) : first;
    this.notBefore = this.now() + this.pauseMs;
    this.failure = error;
  }

  succeeded(): void {
    this.failure = undefined;
    this.pauseMs = 0;
    this.notBefore = 0;
  }

  /** Milliseconds until the next attempt may start; 0 when it may start now. */
  get waitMs(): number {
    return Math.max(0, this.notBefore - this.now());
  }

  /** The refusal that stands until the pause is over: asking again before would only repeat it. */
  get standingRefusal(): CdrError | undefined {
    return this.failure && isRefusal(this.failure) && this.waitMs > 0 ? this.failure : undefined;
  }
}

function isRefusal(error: CdrError): boolean {
  return error.code === 'sftp-auth' || error.code === 'sftp-host-key';
}
