import { readFileSync, writeFileSync } from 'node:fs';
import { PROTOCOL, RUNS, type Constants, type Run } from './run-table.ts';

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

/**
 * Brings the tables between the markers of a page up to date, `<!-- spec:NAME -->` to `<!-- /spec:NAME -->`: the runs of
 * today have a row when they came out as they must, those of other days keep theirs.
 */
export function writeTables(page: string, ran: readonly Run[], asTheyMust: readonly Outcome[]): void {
  const today = new Set(ran.map(({ name }) => name));
  const of = (verdict: string, met: boolean): Outcome[] =>
    asTheyMust.filter(({ run, verdict: found }) => found === verdict && run.name.startsWith('met-') === met);
  const broken = of('breaks', false).filter(({ run }) => !run.name.startsWith('reached-'));
  let text = readFileSync(page, 'utf8');
  const put = (name: string, head: string[], outcomes: Outcome[], more: (outcome: Outcome) => string[]): void => {
    const [begin, end] = [`<!-- spec:${name} -->`, `<!-- /spec:${name} -->`];
    const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
    if (from < begin.length || to < from) throw new Error(`no place for the table ${name}`);
    const known = rowsIn(text.slice(from, to));
    for (const each of today) known.delete(each);
    for (const outcome of outcomes) known.set(outcome.run.name, rowOf(outcome, more(outcome)));
    const rows = RUNS.flatMap((run) => known.get(run.name) ?? []);
    const lines = [line(head), line(head.map(() => '---')), ...rows];
    text = `${text.slice(0, from)}\n\n${lines.join('\n')}\n\n${text.slice(to)}`;
  };
  put('holds', ['Run', 'World', 'States'], of('holds', false), ({ states }) => [states]);
  put('met', ['Run', 'Rule that is broken, and world', 'States'], of('holds', true), ({ states }) => [states]);
  put('breaks', ['Run', 'What is changed, and world', 'Breaks', 'Steps'], broken, ({ run, steps }) => [
    `\`${run.breaks}\``,
    String(steps),
  ]);
  writeFileSync(page, text);
}

/** The rows of a table, by name of the run. */
function rowsIn(table: string): Map<string, string> {
  const rows = table.matchAll(/^\| `([^`]+)` .*$/gm);
  return new Map([...rows].map(([row, name]) => [name ?? '', row]));
}

function rowOf({ run }: Outcome, more: readonly string[]): string {
  return line([`\`${run.name}\``, worldOf(run), ...more]);
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
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
