import { styleText } from 'node:util';
import { count } from './text.ts';

/** Where the work stands. */
export interface Progress {
  readonly files: number;
  readonly filesTotal: number;
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly waiting: number;
  readonly active: number;
  readonly failed: number;
}

type Style = Parameters<typeof styleText>[0];

const REDRAW_EVERY_MS = 100;
const BAR_WIDTH = 24;
/** Without a terminal: a line a second at first, then fewer, so that a long run does not fill a log. */
const LINE_EVERY_MS = 1_000;
const LINES_BEFORE_SLOWER = 12;
const SLOWER = 10;
const CLEAR_LINE = '\r\x1b[2K';

/** What the demo says: lines that stay, and below them the progress, redrawn in place where there is a terminal. */
export class ProgressBoard {
  readonly #out: NodeJS.WriteStream;
  #drawn = false;
  #ended = false;
  #shownAt = 0;
  #shown = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** Nothing is shown from now on. */
  end(): void {
    this.#ended = true;
  }

  /** A line that stays. */
  say(line = ''): void {
    if (this.#ended) return;
    this.#clear();
    this.#out.write(`${line}\n`);
  }

  /** A heading with an empty line above it. */
  heading(title: string): void {
    this.say();
    this.say(this.styled('bold', title));
  }

  /** Coloured on a terminal (and where NO_COLOR is not set), plain elsewhere. */
  styled(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#out });
  }

  /** Shows the progress when it is time for it; `last` shows it in any case, and for good. */
  progress(now: Progress, last = false): void {
    const every = this.#out.isTTY ? REDRAW_EVERY_MS : LINE_EVERY_MS * (this.#shown < LINES_BEFORE_SLOWER ? 1 : SLOWER);
    if (this.#ended || (!last && Date.now() - this.#shownAt < every)) return;
    this.#shownAt = Date.now();
    this.#shown += 1;
    const text = progressText(now);
    // a line that wraps could not be redrawn
    const room = (this.#out.isTTY ? this.#out.columns : 140) - text.length - 5;
    const width = Math.min(BAR_WIDTH, room);
    const bar = width < 8 ? '' : `${this.#bar(now.files / now.filesTotal, width)}  `;
    const line = `  ${bar}${this.#out.isTTY ? text.slice(0, Math.max(0, this.#out.columns - 3)) : text}`;
    if (!this.#out.isTTY || last) {
      this.say(line);
      return;
    }
    this.#out.write(`${CLEAR_LINE}${line}`);
    this.#drawn = true;
  }

  #bar(share: number, width: number): string {
    const full = Math.floor(share * width);
    return this.styled('green', '█'.repeat(full)) + this.styled('dim', '░'.repeat(width - full));
  }

  #clear(): void {
    if (this.#drawn) this.#out.write(CLEAR_LINE);
    this.#drawn = false;
  }
}

function progressText({ files, filesTotal, rows, rowsPerSecond, waiting, active, failed }: Progress): string {
  const width = count(filesTotal).length;
  return [
    `${count(files).padStart(width)}/${count(filesTotal)} files`,
    `${count(rows).padStart(7)} rows`,
    `${count(rowsPerSecond).padStart(7)} records/s`,
    `${count(waiting)} waiting, ${count(active)} active, ${count(failed)} failed`,
  ].join('   ');
}
