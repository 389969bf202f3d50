import { createHash, randomBytes } from 'node:crypto';
import type { Visitor } from './accounts.ts';

export const SESSION_LIFETIME_MS = 12 * 3_600_000;
/** More than any number of operators; whoever logs in more often loses the oldest. */
const SESSIONS_KEPT = 1_000;

interface Session {
  readonly visitor: Visitor;
  readonly endsAt: number;
}

/**
 * Who is logged in, in the memory of this process: a restart logs everybody out, and an outage of Redis nobody. The id is
 * random and means nothing by itself; only its hash is kept.
 */
export class Sessions {
  private readonly now: () => number;
  /** In the order of their beginning, which is the order of their end. */
  private readonly sessions = new Map<string, Session>();

  /** `now` in monotonic milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** Begins a session; returns its id, for the cookie. */
  open(visitor: Visitor): string {
    this.forgetEnded();
    const id = randomBytes(32).toString('base64url');
    this.sessions.set(hash(id), { visitor, endsAt: this.now() + SESSION_LIFETIME_MS });
    return id;
  }

  /** Whose session this is; undefined when there is no such session, or not any more. */
  find(id: string | undefined): Visitor | undefined {
    if (id === undefined) return undefined;
    const session = this.sessions.get(hash(id));
    return session && session.endsAt > this.now() ? session.visitor : undefined;
  }

  close(id: string | undefined): void {
    if (id !== undefined) this.sessions.delete(hash(id));
  }

  private forgetEnded(): void {
    const now = this.now();
    for (const [key, { endsAt }] of this.sessions) {
      if (endsAt > now && this.sessions.size < SESSIONS_KEPT) return;
      this.sessions.delete(key);
    }
  }
}

function hash(id: string): string {
  return createHash('sha256').update(id).digest('base64');
}
