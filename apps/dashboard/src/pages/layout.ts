import type { Visitor } from '../accounts.ts';
import { html, type Html, type HtmlValue } from './html.ts';

export interface PageOptions {
  readonly title: string;
  /** Undefined on the pages before the login. */
  readonly visitor?: Visitor | undefined;
  readonly here?: '/' | '/audit';
  /** Reload every so many seconds: for pages that say that something is away. */
  readonly reloadSeconds?: number;
  /** Have the main part renewed by the script. */
  readonly live?: boolean;
}

const LINKS = [
  { href: '/', text: 'Overview' },
  { href: '/queues/', text: 'Jobs' },
  { href: '/audit', text: 'Audit' },
] as const;

/** A whole page around its main part, as text. */
export function page(options: PageOptions, ...main: readonly HtmlValue[]): string {
  const { title, reloadSeconds, live, visitor } = options;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        ${reloadSeconds === undefined ? undefined : html`<meta http-equiv="refresh" content="${reloadSeconds}" />`}
        <title>${title} - CDR ingester</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/dashboard.css" />
        ${live ? html`<script src="/assets/refresh.js" defer></script>` : undefined}
      </head>
      <body>
        ${visitor ? header(visitor, options.here) : undefined}
        <main>${main}</main>
      </body>
    </html> `.markup;
}

function header(visitor: Visitor, here: PageOptions['here']): Html {
  return html`<header>
    <a class="brand" href="/"><img src="/assets/icon.svg" alt="" width="22" height="22" />CDR ingester</a>
    <nav>
      ${LINKS.map(({ href, text }) =>
        href === here ? html`<a href="${href}" aria-current="page">${text}</a>` : html`<a href="${href}">${text}</a>`,
      )}
    </nav>
    <form method="post" action="/logout">
      <span class="who">${visitor.user}${visitor.role === 'viewer' ? ' (may look only)' : ''}</span>
      <button type="submit">Log out</button>
    </form>
  </header>`;
}

/** A moment, to the second, in UTC; undefined is a dash. */
export function moment(at: number | undefined): Html {
  if (at === undefined || !Number.isFinite(at)) return html`<span class="none">-</span>`;
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)}</time>`;
}
