import type { DemoApp } from './demo-app.ts';
import type { LedgerWatch } from './ledger-watch.ts';
import type { Upload } from './upload-files.ts';

/** As a supervisor would: not at once. */
const RESTART_AFTER_MS = 1_000;
/** Share of the large file that must have been read: enough to be in the middle of it, and in the topic. */
const SHARE_READ = 0.35;

/** What the killing did. */
export interface Takeover {
  readonly file: string;
  /** The process that was killed. */
  readonly killed: string;
  /** Worker that committed the file in the end, by its name in the ledger. */
  readonly by: string;
  /** From the kill to the start of the attempt that was committed. */
  readonly takenOverAfterMs: number;
  /** From the kill until the ledger showed the commit. */
  readonly committedAfterMs: number;
}

interface Kill {
  readonly app: DemoApp;
  readonly workerName: string;
  readonly atMs: number;
  /** Settles when it has been started again and works. */
  back?: Promise<void>;
  isBack: boolean;
}

/**
 * Kills a worker in the middle of the large file and follows what becomes of the file.
 *
 * Which worker has it is worked out from what every worker tells anybody: the bytes that it has read, less those of the
 * files that the ledger says it has committed. The large file is larger than all that a worker may hold besides.
 */
export class KillAWorker {
  readonly #workers: readonly DemoApp[];
  readonly #ledger: LedgerWatch;
  readonly #upload: Upload;
  readonly #bytesToKillAt: number;
  readonly #tell: (line: string) => void;
  #kill: Kill | undefined;
  #takeover: Takeover | undefined;

  /** `slots`: files that a worker works on at a time. */
  constructor(
    workers: readonly DemoApp[],
    ledger: LedgerWatch,
    upload: Upload,
    slots: number,
    tell: (line: string) => void,
  ) {
    this.#workers = workers;
    this.#ledger = ledger;
    this.#upload = upload;
    this.#bytesToKillAt = Math.max(upload.large.bytes * SHARE_READ, upload.ordinaryBytes * slots * 1.1);
    this.#tell = tell;
  }

  /** Known once the file is committed by somebody else. */
  get takeover(): Takeover | undefined {
    return this.#takeover;
  }

  /** The worker that is dead on purpose, or is on its way back. */
  isExpectedDown(app: DemoApp): boolean {
    return this.#kill?.app === app && !this.#kill.isBack;
  }

  /** Does what is to be done by now; call it often. */
  async step(): Promise<void> {
    if (this.#kill === undefined) await this.#hunt();
    else await this.#follow(this.#kill);
  }

  /** Resolves when the killed worker works again; throws when it does not come back. */
  async end(): Promise<void> {
    await this.#kill?.back;
  }

  async #hunt(): Promise<void> {
    for (const app of this.#workers) {
      const { workerName } = app;
      const bytesRead = await app.counter('cdr_worker_read_bytes_total');
      if (workerName === undefined || bytesRead === undefined) continue;
      // after the counter: what is committed meanwhile makes the difference smaller, never larger
      await this.#ledger.refresh();
      const inWork = bytesRead - this.#ledger.bytesCommittedBy(workerName);
      if (inWork < this.#bytesToKillAt) continue;
      const { pid } = app;
      await app.kill();
      this.#kill = { app, workerName, atMs: Date.now(), isBack: false };
      const { name } = this.#upload.large;
      this.#tell(`${app.name} (process ${pid}) killed with SIGKILL, ${megabytes(inWork)} into ${name}`);
      return;
    }
  }

  async #follow(kill: Kill): Promise<void> {
    const { app, workerName, atMs } = kill;
    if (kill.back === undefined && Date.now() - atMs >= RESTART_AFTER_MS) {
      await app.start();
      this.#tell(`${app.name} started again (process ${app.pid})`);
      kill.back = app.untilReady().then(() => void (kill.isBack = true));
      // met in end()
      kill.back.catch(() => undefined);
    }
    const record = this.#ledger.records.get(this.#upload.large.name);
    if (this.#takeover !== undefined || record?.state !== 'committed') return;
    // killed so late that the commit was on its way already: nothing is left to take over
    if (record.worker === workerName) return;
    const by = this.#workers.find((worker) => worker.workerName === record.worker)?.name ?? record.worker;
    this.#takeover = {
      file: record.file,
      killed: app.name,
      by,
      takenOverAfterMs: Date.parse(record.startedAt) - atMs,
      committedAfterMs: Date.now() - atMs,
    };
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
