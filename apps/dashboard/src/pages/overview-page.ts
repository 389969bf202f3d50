import type { Visitor } from '../accounts.ts';
import type { LedgerSummary } from '../ledger-summary.ts';
import type { JobLine, Overview } from '../overview.ts';
import { html, type Html } from './html.ts';
import { moment, page } from './layout.ts';
import { table, type Cell } from './table.ts';

/** How the ingester is doing, on one page. */
export function overviewPage(visitor: Visitor, overview: Overview): string {
  const { counts, ledger } = overview;
  return page(
    { title: 'Overview', visitor, here: '/', live: true },
    overview.paused
      ? html`<p class="banner">The queue is paused: no file is taken until somebody resumes it under Jobs.</p>`
      : undefined,
    html`<section aria-label="Jobs">
      <h2>Jobs</h2>
      <div class="tiles">
        ${tile('waiting', counts.waiting)} ${tile('active', counts.active, counts.active > 0 ? 'busy' : '')}
        ${tile('delayed', counts.delayed)} ${tile('failed', counts.failed, counts.failed > 0 ? 'bad' : '')}
        ${tile('completed', counts.completed, 'good', 'kept a week')}
      </div>
    </section>`,
    files(ledger),
    dependencies(overview),
    overview.active.length > 0 ? running(overview.active) : undefined,
    overview.failed.length > 0 ? failed(overview.failed, counts.failed) : undefined,
    changed(ledger),
    overview.completed.length > 0 ? completed(overview.completed) : undefined,
    html`<p class="note">As of ${moment(Date.now())} UTC<span id="refresh-problem" hidden></span></p>`,
  );
}

function tile(name: string, value: number | undefined, kind = '', note?: string): Html {
  return html`<div class="tile ${kind}">
    <strong title="${value === undefined ? '' : number(value)}">${value === undefined ? '...' : short(value)}</strong>
    <span>${name}</span>${note === undefined ? undefined : html`<small>${note}</small>`}
  </div>`;
}

function files(ledger: LedgerSummary | undefined): Html {
  return html`<section aria-label="Files">
    <h2>Files</h2>
    <div class="tiles">
      ${tile('ingested', ledger?.committed, 'good')} ${tile('in part', ledger?.partial)}
      ${tile('changed since', ledger?.changed, (ledger?.changed ?? 0) > 0 ? 'bad' : '')}
      ${tile('wanted again', ledger?.requested)} ${tile('adopted', ledger?.adopted)}
      ${tile('messages', ledger?.messages)}
      ${tile('rejects', ledger?.rejects, (ledger?.rejects ?? 0) > 0 ? 'warn' : '')}
    </div>
    <p class="note">
      ${ledger ? html`From the ledger's projection, counted at ${moment(ledger.countedAt)}` : 'The ledger is being counted...'}
    </p>
  </section>`;
}

function dependencies({ scannerAlive, workerSlots, apps }: Overview): Html {
  const workers =
    workerSlots === undefined
      ? 'Redis does not tell'
      : `${workerSlots} ${workerSlots === 1 ? 'slot' : 'slots'} connected`;
  return html`<section aria-label="Parts">
    <h2>Parts</h2>
    <ul class="parts">
      ${part(true, 'Redis', 'answers')} ${part(scannerAlive, 'Scanner', scannerAlive ? 'scans' : 'no scan for a while')}
      ${part(workerSlots !== 0, 'Workers', workers)}
      ${apps.map(({ name, ready, problems }) => part(ready, name, ready ? 'ready' : problems.join('; ') || 'not ready'))}
    </ul>
  </section>`;
}

function part(well: boolean, name: string, state: string): Html {
  return html`<li class="${well ? 'good' : 'bad'}"><b>${name}</b> <span>${state}</span></li>`;
}

function changed(ledger: LedgerSummary | undefined): Html | undefined {
  if (!ledger || ledger.changedFiles.length === 0) return undefined;
  return table(
    'Changed after they were ingested',
    ['File', 'Ingested', 'Now', 'Seen'],
    ledger.changedFiles.map(({ file, ingestedSize, size, seenAt }) => [
      { kind: 'file', content: file },
      { kind: 'number', content: `${number(ingestedSize)} B` },
      { kind: 'number', content: `${number(size)} B` },
      { content: moment(Date.parse(seenAt)) },
    ]),
  );
}

function running(jobs: readonly JobLine[]): Html {
  return table(
    'Running',
    ['File', 'Progress', 'Rows', 'Since'],
    jobs.map((job) => [
      fileCell(job),
      { content: progressBar(job.progress) },
      { kind: 'number', content: number(job.rows) },
      { content: moment(job.at) },
    ]),
  );
}

function failed(jobs: readonly JobLine[], total: number): Html {
  return table(
    total > jobs.length ? `Failed, the last ${jobs.length} of ${number(total)}` : 'Failed',
    ['File', 'Reason', 'When'],
    jobs.map((job) => [fileCell(job), { kind: 'wrap reason', content: job.reason }, { content: moment(job.at) }]),
  );
}

function completed(jobs: readonly JobLine[]): Html {
  return table(
    'Last completed',
    ['File', 'Outcome', 'Rows', 'Rejects', 'When'],
    jobs.map((job) => [
      fileCell(job),
      { content: job.outcome },
      { kind: 'number', content: number(job.rows) },
      { kind: job.rejects ? 'number warn' : 'number', content: number(job.rejects) },
      { content: moment(job.at) },
    ]),
  );
}

function fileCell({ id, file }: JobLine): Cell {
  return { kind: 'file', content: html`<a href="/queues/queue/cdr-files/${encodeURIComponent(id)}">${file}</a>` };
}

function progressBar(progress: number | undefined): Html {
  if (progress === undefined) return html`<span class="none">begun</span>`;
  const percent = Math.floor(progress * 100);
  return html`<progress max="100" value="${percent}"></progress> ${percent} %`;
}

function number(value: number | undefined): string {
  return value === undefined ? '' : value.toLocaleString('en-US');
}

/** Millions and more in the short form: a tile has room for seven characters. */
function short(value: number): string {
  return value < 1_000_000
    ? number(value)
    : value.toLocaleString('en-US', { notation: 'compact', maximumFractionDigits: 2 });
}
