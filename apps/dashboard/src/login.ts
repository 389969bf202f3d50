import { Router, urlencoded, type Request, type Response } from 'express';
import { z } from 'zod';
import type { Accounts, Visitor } from './accounts.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { DashboardMetrics } from './dashboard-metrics.ts';
import type { LoginLimit } from './login-limit.ts';
import { loginPage } from './pages/login-page.ts';
import { SESSION_LIFETIME_MS, type Sessions } from './sessions.ts';

const COOKIE = 'cdr_session';
const LONGEST_FORM = '4kb';

const formSchema = z.object({ user: z.string().max(64), password: z.string().max(1_000) });

export interface LoginParts {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly limit: LoginLimit;
  readonly audit: AuditTrail;
  readonly metrics: DashboardMetrics;
}

/** /login and /logout. */
export function loginRoutes({ accounts, sessions, limit, audit, metrics }: LoginParts): Router {
  const router = Router();

  router.get('/login', (req, res) => {
    if (sessions.find(sessionIdOf(req))) res.redirect(303, '/');
    else res.send(loginPage());
  });

  router.post('/login', urlencoded({ extended: false, limit: LONGEST_FORM }), async (req, res) => {
    const from = addressOf(req);
    const waitMs = limit.waitMs(from);
    if (waitMs > 0) {
      // not in the audit trail: whoever floods us must not push out what matters there
      metrics.logins.inc({ result: 'limited' });
      res.set('Retry-After', String(Math.ceil(waitMs / 1000)));
      res.status(429).send(loginPage(tooMany(waitMs)));
      return;
    }
    const form = formSchema.safeParse(req.body);
    const visitor = form.success ? accounts.check(form.data.user, form.data.password) : undefined;
    if (!visitor) {
      limit.failed(from);
      metrics.logins.inc({ result: 'wrong' });
      await audit.recordFailedLogin(form.data?.user ?? '', from);
      res.status(401).send(loginPage('The user or the password is wrong.'));
      return;
    }
    sessions.close(sessionIdOf(req));
    setCookie(req, res, sessions.open(visitor), SESSION_LIFETIME_MS);
    metrics.logins.inc({ result: 'ok' });
    await audit.record({ who: visitor.user, from, what: 'login', detail: '' });
    res.redirect(303, '/');
  });

  router.post('/logout', async (req, res) => {
    const id = sessionIdOf(req);
    const visitor = sessions.find(id);
    sessions.close(id);
    setCookie(req, res, '', 0);
    if (visitor) await audit.record({ who: visitor.user, from: addressOf(req), what: 'logout', detail: '' });
    res.redirect(303, '/login');
  });

  return router;
}

/** Whose request this is, by its cookie; undefined when nobody is logged in. */
export function visitorOf(req: Request, sessions: Sessions): Visitor | undefined {
  return sessions.find(sessionIdOf(req));
}

/** Where the request comes from, as far as the proxies in front are believed. */
export function addressOf(req: Request): string {
  return (req.ip ?? 'unknown').replace(/^::ffff:(?=\d+\.)/, '');
}

/** Ids are base64url: whatever else a cookie of this name holds is nobody's. */
function sessionIdOf(req: Request): string | undefined {
  return new RegExp(`(?:^|;\\s*)${COOKIE}=([A-Za-z0-9_-]{43})(?:;|$)`).exec(req.headers.cookie ?? '')?.[1];
}

function setCookie(req: Request, res: Response, value: string, maxAge: number): void {
  res.cookie(COOKIE, value, { httpOnly: true, sameSite: 'strict', secure: req.secure, path: '/', maxAge });
}

function tooMany(waitMs: number): string {
  const minutes = Math.ceil(waitMs / 60_000);
  return `Too many wrong passwords from your address. Try again in ${minutes} ${minutes === 1 ? 'minute' : 'minutes'}.`;
}
