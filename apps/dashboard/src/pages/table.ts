import { html, type Html, type HtmlValue } from './html.ts';

export interface Cell {
  readonly content: HtmlValue;
  /** Classes of dashboard.css: file, wrap, number, reason, warn. */
  readonly kind?: string;
}

/** A section with a table. On a phone each row is a card, with the columns' names beside the values. */
export function table(title: string, columns: readonly string[], rows: readonly (readonly Cell[])[]): Html {
  const heads = columns.map((column) => html`<th>${column}</th>`);
  const body = rows.map((cells) => {
    const tds = cells.map(
      ({ content, kind = '' }, i) => html`<td class="${kind}" data-column="${columns[i]}">${content}</td>`,
    );
    return html`<tr>
      ${tds}
    </tr>`;
  });
  return html`<section aria-label="${title}">
    <h2>${title}</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            ${heads}
          </tr>
        </thead>
        <tbody>
          ${body}
        </tbody>
      </table>
    </div>
  </section>`;
}
