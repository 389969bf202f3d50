const REDRAW_EVERY_MS = 100;
const LINE_EVERY_MS = 5_000;

/** Where progress is written: standard error, so that it never mixes with an answer. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** How far long work has come: one line that is redrawn on a terminal, a line every few seconds elsewhere. */
export class Progress {
  private readonly stream: ProgressStream;
  private readonly label: string;
  private readonly total: number | undefined;
  private shownAt = performance.now();
  private drawn = false;

  /** `label` is printed as it is: no text of strangers. */
  constructor(stream: ProgressStream, label: string, total?: number) {
    this.stream = stream;
    this.label = label;
    this.total = total;
  }

  update(done: number): void {
    const now = performance.now();
    const { isTTY = false } = this.stream;
    if (now - this.shownAt < (isTTY ? REDRAW_EVERY_MS : LINE_EVERY_MS)) return;
    this.shownAt = now;
    const count = done.toLocaleString('en-US');
    const share = this.total
      ? ` of ${this.total.toLocaleString('en-US')} (${Math.floor((done / this.total) * 100)} %)`
      : '';
    const line = `${this.label}: ${count}${share}`;
    this.stream.write(isTTY ? `\r\x1b[K${line}` : `${line}\n`);
    this.drawn = isTTY;
  }

  /** Leaves the terminal's line empty for what comes. */
  end(): void {
    if (this.drawn) this.stream.write('\r\x1b[K');
    this.drawn = false;
  }
}
