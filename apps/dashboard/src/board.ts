import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import type { AppViewRoute, QueueAdapterOptions } from '@bull-board/api/typings/app';
import { ExpressAdapter } from '@bull-board/express';
import { ingestJobSchema } from '@cdr/core/ingest-job';
import type { IngestQueue } from '@cdr/queue/ingest-queue';
import type { Express } from 'express';
import type { Role } from './accounts.ts';
import { printable, printableJson } from './printable.ts';

/** Where Bull Board is. */
export const BOARD_PATH = '/queues';

/** What the page of the pinned version loads from elsewhere; the policy would refuse it, and offline it would wait for it. */
const FOREIGN_LINKS = /<link\b[^>]*\bhref="https?:[^>]*>/g;

/**
 * Bull Board for operators or for viewers, whom it shows no buttons. It hides what it can; what may be done is decided in
 * front of it (board-guard).
 */
export function createBoard(queue: IngestQueue, role: Role): Express {
  const adapter = new OwnExpressAdapter();
  adapter.setBasePath(BOARD_PATH);
  const options: Partial<QueueAdapterOptions> & { allowCompletedRetries: boolean } = {
    readOnlyMode: role === 'viewer',
    // what is completed is in the topic: it is not ingested again by a retry
    allowCompletedRetries: false,
    description: 'One job per file',
  };
  const queueAdapter = new BullMQAdapter(queue.bullQueue, options);
  queueAdapter.setFormatter('name', nameOf);
  createBullBoard({
    queues: [queueAdapter],
    serverAdapter: adapter,
    options: {
      handlerHooks: { after: (_context, result) => ({ ...result, body: printableBody(result.body) }) },
      uiConfig: {
        boardTitle: 'CDR ingester',
        boardLogo: { path: '/assets/icon.svg', width: 24, height: 24 },
        favIcon: { default: '/assets/icon.svg', alternative: 'static/favicon-32x32.png' },
        hideDocsLink: true,
        miscLinks: [
          { text: 'Overview', url: '/' },
          { text: 'Audit', url: '/audit' },
        ],
      },
    },
  });
  return adapter.express;
}

/** Bull Board's adapter, without foreign links, framework headers and error texts of its own. */
class OwnExpressAdapter extends ExpressAdapter {
  constructor() {
    super();
    this.app.disable('x-powered-by');
    this.app.disable('etag');
  }

  get express(): Express {
    return this.app;
  }

  override setEntryRoute(entry: AppViewRoute): ExpressAdapter {
    this.app.get(entry.route, (_req, res, next) => {
      const { name, params } = entry.handler({ basePath: this.basePath, uiConfig: this.uiConfig });
      res.render(name, params, (error: Error | null, page?: string) => {
        if (error) next(error);
        else res.send(page?.replace(FOREIGN_LINKS, ''));
      });
    });
    return this;
  }

  /** What goes wrong is answered by the dashboard, which knows when Redis is away. */
  override setErrorHandler(): this {
    return super.setErrorHandler((error) => {
      throw error;
    });
  }
}

/** The file's name, since the job's own is only that of its feed. */
function nameOf(job: { readonly name?: string; readonly data?: unknown }): string {
  const data = ingestJobSchema.safeParse(job.data);
  return printable(data.success ? data.data.file : (job.name ?? ''));
}

/** Names, reasons and stack traces hold what strangers wrote. */
function printableBody<Body extends string | object>(body: Body): Body {
  return printableJson(body) as Body;
}
