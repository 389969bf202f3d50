import path from 'node:path';
import { CdrError, describeError, errorCodeOf } from '@cdr/core/errors';
import { FailedJobs } from '@cdr/queue/failed-jobs';
import type { IngestQueue } from '@cdr/queue/ingest-queue';
import { redisCall, toRedisError, type Redis } from '@cdr/queue/redis-connection';
import type { Logger } from '@cdr/telemetry/logger';
import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler } from 'express';
import type { Visitor } from './accounts.ts';
import type { AuditTrail } from './audit-trail.ts';
import { answerProblem, boardGuard } from './board-guard.ts';
import { BOARD_PATH, createBoard } from './board.ts';
import type { DashboardMetrics } from './dashboard-metrics.ts';
import { loginRoutes, visitorOf, type LoginParts } from './login.ts';
import { readOverview, type OverviewParts } from './overview.ts';
import { auditPage } from './pages/audit-page.ts';
import { overviewPage } from './pages/overview-page.ts';
import { problemPage } from './pages/problem-page.ts';
import { foreignOrigin } from './same-origin.ts';
import { boardHeaders, securityHeaders } from './security-headers.ts';

const ASSETS = path.join(import.meta.dirname, '../assets');
const AUDIT_SHOWN = 500;
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH']);

export interface AppParts extends LoginParts {
  readonly redis: Redis;
  readonly queue: IngestQueue;
  readonly overview: OverviewParts;
  readonly audit: AuditTrail;
  readonly metrics: DashboardMetrics;
  readonly log: Logger;
  /** How many reverse proxies are believed. */
  readonly proxies: number;
}

/** All that the dashboard answers, in the order in which a request passes it. */
export function createDashboardApp(parts: AppParts): Express {
  const { queue, redis, sessions, audit, metrics } = parts;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('trust proxy', parts.proxies);
  const whoIs = (req: Request): Visitor | undefined => visitorOf(req, sessions);

  app.use(countRequests(metrics), securityHeaders, refuseOtherMethods, refuseForeign(metrics));
  app.use('/assets', express.static(ASSETS, { index: false, etag: false }));
  app.use(loginRoutes(parts));
  app.use(requireLogin(whoIs));

  const forVisitor =
    (render: (visitor: Visitor) => Promise<string>): RequestHandler =>
    async (req, res) => {
      const visitor = whoIs(req);
      if (visitor) res.send(await render(visitor));
      else res.redirect(303, '/login');
    };
  app.get(
    '/',
    forVisitor(async (visitor) => overviewPage(visitor, await readOverview(parts.overview))),
  );
  app.get(
    '/audit',
    forVisitor(async (visitor) => auditPage(visitor, await audit.latest(AUDIT_SHOWN))),
  );

  const boards = { operator: createBoard(queue, 'operator'), viewer: createBoard(queue, 'viewer') };
  const guard = boardGuard({ failedJobs: new FailedJobs(queue.bullQueue, redis), audit, metrics, visitorOf: whoIs });
  const board: RequestHandler = (req, res, next) => boards[whoIs(req)?.role ?? 'viewer'](req, res, next);
  app.use(BOARD_PATH, boardHeaders, requireRedis(queue, redis), guard, board);

  app.use((_req, res) => void res.status(404).send(problemPage('Not found', 'There is no such page.')));
  app.use(answerErrors(parts.log));
  return app;
}

function countRequests(metrics: DashboardMetrics): RequestHandler {
  return (_req, res, next) => {
    res.once('finish', () => metrics.requests.inc({ status: res.statusCode }));
    next();
  };
}

const refuseOtherMethods: RequestHandler = (req, res, next) => {
  if (METHODS.has(req.method)) return next();
  res.set('Allow', [...METHODS].join(', '));
  res.status(405).send(problemPage('Not allowed', 'The dashboard does not know this method.'));
};

/** Against pages of other sites that send requests with the cookie of somebody who is logged in here. */
function refuseForeign(metrics: DashboardMetrics): RequestHandler {
  return (req, res, next) => {
    if (req.method === 'GET' || req.method === 'HEAD') return next();
    const why = foreignOrigin({
      secFetchSite: req.get('Sec-Fetch-Site'),
      origin: req.get('Origin'),
      host: req.host ?? '',
    });
    if (why === undefined) return next();
    metrics.refusals.inc({ reason: 'foreign-origin' });
    if (wantsJson(req)) answerProblem(res, 403, `Refused: ${why}.`);
    else res.status(403).send(problemPage('Refused', `Refused: ${why}.`));
  };
}

function requireLogin(whoIs: (req: Request) => Visitor | undefined): RequestHandler {
  return (req, res, next) => {
    if (whoIs(req)) return next();
    if (wantsJson(req)) answerProblem(res, 401, 'Log in first: reload the page.');
    else res.redirect(303, '/login');
  };
}

/** Bull Board would wait for a Redis that it has never reached. */
function requireRedis(queue: IngestQueue, redis: Redis): RequestHandler {
  let reached = false;
  queue.untilReady().then(
    () => (reached = true),
    () => undefined,
  );
  return async (req, _res, next) => {
    if (req.path.startsWith('/static/')) return next();
    await redisCall('asking Redis', () => redis.ping());
    if (!reached) throw new CdrError('redis-unavailable', 'the queue has not been reached yet');
    next();
  };
}

/** Bull Board's page asks for JSON and shows what it gets; everything else is for people to read. */
function wantsJson(req: Request): boolean {
  return req.originalUrl.startsWith(`${BOARD_PATH}/api/`);
}

/** 503 when Redis is away, and never a stack or a path of this machine. Four parameters make it an error handler. */
function answerErrors(log: Logger): ErrorRequestHandler {
  return (thrown: unknown, req, res, next) => {
    if (res.headersSent) return next(thrown);
    const { status, title, problem, mayPass } = describe(thrown);
    if (status === 500) log.error({ err: thrown, method: req.method }, `a request failed: ${describeError(thrown)}`);
    if (mayPass) res.set('Retry-After', '5');
    if (wantsJson(req))
      answerProblem(res, status, problem, mayPass ? 'ERRORS.REDIS_UNAVAILABLE' : 'ERRORS.INTERNAL_SERVER_ERROR');
    else res.status(status).send(problemPage(title, problem, mayPass));
  };
}

interface Problem {
  readonly status: number;
  readonly title: string;
  readonly problem: string;
  readonly mayPass: boolean;
}

function describe(thrown: unknown): Problem {
  const clientError = clientStatusOf(thrown);
  if (clientError !== undefined)
    return { status: clientError, title: 'Bad request', problem: 'The request cannot be understood.', mayPass: false };
  if (isElsewhere(thrown))
    return { status: 409, title: 'Too late', problem: 'The job is in another state by now.', mayPass: false };
  const code = errorCodeOf(toRedisError('asking Redis', thrown));
  if (code === 'redis-unavailable')
    return {
      status: 503,
      title: 'Redis is away',
      problem: 'The dashboard cannot reach Redis, where the queue is. Ingestion waits for it too, and loses nothing.',
      mayPass: true,
    };
  if (code === 'redis-auth')
    return {
      status: 503,
      title: 'Redis refuses the dashboard',
      problem: 'Redis does not accept the user or password in REDIS_URL.',
      mayPass: true,
    };
  return {
    status: 500,
    title: 'That went wrong',
    problem: 'The log of the dashboard says what happened.',
    mayPass: false,
  };
}

/** Of body parsers and the router: malformed JSON, a form that is too long, a path that cannot be decoded. */
function clientStatusOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('status' in thrown) || typeof thrown.status !== 'number') return undefined;
  return thrown.status >= 400 && thrown.status < 500 ? thrown.status : undefined;
}

/** BullMQ's answer when a job is gone, or not in the state that an action asks for. */
function isElsewhere(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'number' && thrown.code < 0;
}
