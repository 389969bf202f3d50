import type { AuditEntry } from '@cdr/queue/audit-stream';
import type { Visitor } from '../accounts.ts';
import { html } from './html.ts';
import { moment, page } from './layout.ts';
import { table } from './table.ts';

/** Who did what, newest first. */
export function auditPage(visitor: Visitor, entries: readonly AuditEntry[]): string {
  const rows = entries.map(({ at, who, from, what, detail }) => [
    { content: moment(at) },
    { content: who },
    { content: from },
    { kind: 'wrap', content: what },
    { kind: 'wrap', content: detail },
  ]);
  return page(
    { title: 'Audit', visitor, here: '/audit' },
    entries.length === 0
      ? html`<p class="empty">Nothing has happened yet.</p>`
      : table('Audit trail', ['When', 'Who', 'From', 'What', 'Detail'], rows),
    html`<p class="note">The newest ${entries.length}, newest first. Times are UTC.</p>`,
  );
}
