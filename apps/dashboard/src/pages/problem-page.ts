import { html } from './html.ts';
import { page } from './layout.ts';

const RELOAD_SECONDS = 5;

/** Says what is wrong, and tries again by itself where that may help. */
export function problemPage(title: string, problem: string, mayPass = false): string {
  return page(
    { title, ...(mayPass ? { reloadSeconds: RELOAD_SECONDS } : {}) },
    html`<section class="message">
      <h1>${title}</h1>
      <p>${problem}</p>
      ${mayPass ? html`<p>This page tries again every ${RELOAD_SECONDS} seconds.</p>` : undefined}
      <p><a href="/">Overview</a></p>
    </section>`,
  );
}
