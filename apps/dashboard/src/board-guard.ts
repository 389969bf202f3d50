import type { FailedJobs, OneJobResult } from '@cdr/queue/failed-jobs';
import { Router, type Request, type RequestHandler, type Response } from 'express';
import type { Visitor } from './accounts.ts';
import type { AuditTrail } from './audit-trail.ts';
import { BOARD_RULES, type BoardRule } from './board-rules.ts';
import type { DashboardMetrics } from './dashboard-metrics.ts';
import { addressOf } from './login.ts';

export interface GuardParts {
  readonly failedJobs: FailedJobs;
  readonly audit: AuditTrail;
  readonly metrics: DashboardMetrics;
  readonly visitorOf: (req: Request) => Visitor | undefined;
}

/**
 * Stands before Bull Board: what only looks goes through; what changes something is decided by `board-rules`, done here
 * or by Bull Board, and written down with who did it.
 */
export function boardGuard(parts: GuardParts): Router {
  const router = Router();
  router.use((req, res, next) => {
    if (looksOnly(req)) return next();
    if (parts.visitorOf(req)?.role === 'operator') return next();
    parts.metrics.refusals.inc({ reason: 'read-only' });
    answerProblem(res, 403, 'This login may look only.');
  });
  for (const rule of BOARD_RULES) router[rule.method](rule.route, handlerOf(rule, parts));
  router.use((req, res, next) => {
    if (looksOnly(req)) return next();
    parts.metrics.refusals.inc({ reason: 'not-offered' });
    answerProblem(res, 403, 'The dashboard does not offer this.');
  });
  return router;
}

/** In the form in which Bull Board's page shows problems. */
export function answerProblem(res: Response, status: number, message: string, key = 'ERRORS.FORBIDDEN'): void {
  res.status(status).json({ error: { key }, message });
}

function looksOnly(req: Request): boolean {
  return req.method === 'GET' || req.method === 'HEAD';
}

function handlerOf(rule: BoardRule, { failedJobs, audit, metrics, visitorOf }: GuardParts): RequestHandler {
  const record = async (req: Request, detail: string, what = rule.name): Promise<void> =>
    audit.record({ who: visitorOf(req)?.user ?? '', from: addressOf(req), what, detail });

  const refuse = async (req: Request, res: Response, why: string): Promise<void> => {
    metrics.refusals.inc({ reason: 'not-offered' });
    await record(req, [subjectOf(req), why].filter(Boolean).join(': '), `refused: ${rule.name}`);
    answerProblem(res, 403, why);
  };

  const one = async (req: Request, res: Response, act: (jobId: string) => Promise<OneJobResult>): Promise<boolean> => {
    const jobId = String(req.params['jobId']);
    const result = await act(jobId);
    if (result.done) {
      await record(req, jobId);
      res.status(204).end();
    } else if (result.state === 'unknown') answerProblem(res, 404, 'There is no such job.', 'ERRORS.JOB_NOT_FOUND');
    else answerProblem(res, 409, `The job is not failed: it is ${result.state}.`, 'ERRORS.INVALID_REQUEST_BODY');
    return result.done;
  };

  switch (rule.action) {
    case 'refuse':
      return (req, res) => refuse(req, res, rule.why);
    case 'pass':
      return async (req, _res, next) => {
        await record(req, subjectOf(req));
        // past the last rule of this router, which refuses
        next('router');
      };
    case 'retry-one':
      return async (req, res) => {
        if (await one(req, res, (jobId) => failedJobs.retry(jobId))) metrics.retries.inc();
      };
    case 'remove-one':
      return async (req, res) => void (await one(req, res, (jobId) => failedJobs.remove(jobId)));
    case 'retry-all':
      return async (req, res) => {
        if (req.params['queueStatus'] !== 'failed')
          return refuse(req, res, 'Only failed jobs are retried. To have an ingested file again: cdr reingest FILE.');
        const result = await failedJobs.retryAll((jobIds) => record(req, jobIds.join(', '), 'retry a failed job'));
        metrics.retries.inc(result.retried);
        await record(req, `${result.retried} retried, ${result.skipped} skipped`);
        res.json(result);
      };
  }
}

/** The job or the queue that the request is about. */
function subjectOf(req: Request): string {
  const { jobId, queueName } = req.params;
  return String(jobId ?? queueName ?? '');
}
