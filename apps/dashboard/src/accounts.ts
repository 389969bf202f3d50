import { createHash, timingSafeEqual } from 'node:crypto';

/** `viewer` may only look; `operator` may also retry, remove failed jobs, promote and pause. */
export type Role = 'operator' | 'viewer';

/** Who somebody is once logged in. */
export interface Visitor {
  readonly user: string;
  readonly role: Role;
}

export interface Account extends Visitor {
  readonly password: string;
}

interface HashedAccount {
  readonly visitor: Visitor;
  readonly userHash: Buffer;
  readonly passwordHash: Buffer;
}

/** Who may log in. Passwords are kept as hashes only. */
export class Accounts {
  private readonly accounts: readonly HashedAccount[];

  constructor(accounts: readonly Account[]) {
    this.accounts = accounts.map(({ user, role, password }) => ({
      visitor: { user, role },
      userHash: sha256(user),
      passwordHash: sha256(password),
    }));
  }

  /**
   * The visitor with this name and password, or undefined. Takes as long for a wrong name as for a wrong password:
   * hashes of equal length are compared, all of them, and none is left out early.
   */
  check(user: string, password: string): Visitor | undefined {
    const userHash = sha256(user);
    const passwordHash = sha256(password);
    let found: Visitor | undefined;
    for (const account of this.accounts) {
      const userFits = timingSafeEqual(userHash, account.userHash);
      const passwordFits = timingSafeEqual(passwordHash, account.passwordHash);
      if (userFits && passwordFits) found = account.visitor;
    }
    return found;
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
