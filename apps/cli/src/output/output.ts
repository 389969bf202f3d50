import { styleText } from 'node:util';
import { escapeControls } from '@cdr/telemetry/log-line';
import { Progress, type ProgressStream } from './progress.ts';
import { tableLines } from './table.ts';

type Style = 'red' | 'green' | 'yellow' | 'bold' | 'dim';

/** Text, possibly of strangers, and how it looks on a terminal. */
export type Piece = string | { readonly text: string; readonly style: Style };

export interface OutputStreams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: ProgressStream;
}

/**
 * Where a command's answer goes: to standard output, as text or as one JSON document. Everything else goes to standard
 * error. Control characters in text are escaped here, so that no command can forget to.
 */
export class Output {
  readonly json: boolean;
  private readonly streams: OutputStreams;

  constructor(streams: OutputStreams, json: boolean) {
    this.streams = streams;
    this.json = json;
  }

  /** The answer: as JSON, or as what `write` writes with `line` and `table`. */
  answer(value: unknown, write: () => void): void {
    if (this.json) this.streams.stdout.write(`${toJson(value)}\n`);
    else write();
  }

  /** A line of an answer in text. */
  line(...pieces: Piece[]): void {
    this.streams.stdout.write(`${pieces.map((piece) => this.paint(piece)).join('')}\n`);
  }

  /** Rows of an answer in text, under a head. */
  table(head: readonly string[], rows: readonly (readonly Piece[])[], indent = ''): void {
    const painted = rows.map((row) => row.map((piece) => this.paint(piece)));
    const lines = tableLines(
      head.map((title) => this.paint({ text: title, style: 'dim' })),
      painted,
    );
    for (const line of lines) this.streams.stdout.write(`${indent}${line}\n`);
  }

  /** A line beside the answer. */
  note(text: string): void {
    this.streams.stderr.write(`${escapeControls(text)}\n`);
  }

  progress(label: string, total?: number): Progress {
    return new Progress(this.streams.stderr, label, total);
  }

  /** Empties a terminal's screen, for an answer that is repeated. */
  clear(): void {
    if (!this.json && 'isTTY' in this.streams.stdout && this.streams.stdout.isTTY)
      this.streams.stdout.write('\x1b[H\x1b[2J');
  }

  private paint(piece: Piece): string {
    if (typeof piece === 'string') return escapeControls(piece);
    // plain where standard output is no terminal or NO_COLOR is set
    return styleText(piece.style, escapeControls(piece.text), { stream: this.streams.stdout });
  }
}

/** Valid JSON that drives no terminal either; offsets are strings. */
function toJson(value: unknown): string {
  const json = JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? item.toString() : item), 2);
  return json.split('\n').map(escapeControls).join('\n');
}
