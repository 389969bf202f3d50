import { readFileSync, writeFileSync } from 'node:fs';
import { PROTOCOL, type Constants, type Run } from './run-table.ts';

/** What TLC said of a run. */
export interface Outcome {
  readonly run: Run;
  readonly verdict: 'holds' | 'breaks' | 'failed';
  /** From the beginning to the state that breaks. */
  readonly steps: number;
  readonly states: string;
}

/** Names of rules that say in words what a table would otherwise show as a constant. */
const WORDS: Partial<Record<keyof Constants, string>> = {
  IdOf: 'the id is made of the',
  Fenced: 'fenced',
  AskRedis: 'entry and position by',
  ReadTo: "the ledger's tail is read",
  Epoch0: 'epoch 0',
  Plan: 'planned by:',
  Record: 'the record is written',
  Retried: 'after a repeated commit:',
  Abort: 'abort',
  Operator: 'an operator',
  Again: 'a repeated request',
  CatchUp: 'catch-up by',
  Position: 'the position is moved to the',
  Mending: 'mended by',
  Put: 'an entry is replaced:',
  ChangedFiles: 'changed files:',
};

/** Rewrites the tables between the markers of a page: `<!-- spec:NAME -->` to `<!-- /spec:NAME -->`. */
export function writeTables(page: string, outcomes: readonly Outcome[]): void {
  const of = (verdict: string, met: boolean): Outcome[] =>
    outcomes.filter(({ run, verdict: found }) => found === verdict && run.name.startsWith('met-') === met);
  let text = readFileSync(page, 'utf8');
  text = put(
    text,
    'holds',
    table(['Run', 'World', 'States'], of('holds', false), ({ states }) => [states]),
  );
  text = put(
    text,
    'met',
    table(['Run', 'Rule that is broken, and world', 'States'], of('holds', true), ({ states }) => [states]),
  );
  const broken = of('breaks', false).filter(({ run }) => !run.name.startsWith('reached-'));
  const breaks = table(['Run', 'What is changed, and world', 'Breaks', 'Steps'], broken, ({ run, steps }) => [
    `\`${run.breaks}\``,
    String(steps),
  ]);
  writeFileSync(page, put(text, 'breaks', breaks));
}

function put(text: string, name: string, rows: string): string {
  const [begin, end] = [`<!-- spec:${name} -->`, `<!-- /spec:${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`no place for the table ${name}`);
  return `${text.slice(0, from + begin.length)}\n\n${rows}\n\n${text.slice(to)}`;
}

function table(head: string[], outcomes: readonly Outcome[], more: (outcome: Outcome) => string[]): string {
  const rows = outcomes.map((outcome) => [`\`${outcome.run.name}\``, worldOf(outcome.run), ...more(outcome)]);
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** What differs from PROTOCOL: rules in words, then how often what may happen. */
function worldOf({ constants }: Run): string {
  const changed = Object.entries(constants) as [keyof Constants, Constants[keyof Constants]][];
  const different = changed.filter(([name, value]) => PROTOCOL[name] !== value);
  const rules = different
    .filter(([, value]) => typeof value !== 'number')
    .map(([name, value]) =>
      typeof value === 'boolean' ? `${value ? 'with' : 'without'} ${name}` : `${WORDS[name] ?? name} ${value}`,
    );
  const budgets = different
    .filter(([, value]) => typeof value === 'number')
    .map(([name, value]) => `${name} ${value as number}`);
  return [...rules.map((rule) => `**${rule}**`), ...budgets].join(', ') || 'no fault';
}
