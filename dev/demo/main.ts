import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError } from '@cdr/core/errors';
import { CommittedReader } from '../kafka-counter/committed-reader.ts';
import { printedMark } from '../services/addresses.ts';
import { clearSettings } from '../services/clear-settings.ts';
import { startParts, type OwnedParts } from '../services/parts.ts';
import { audit, auditTable, isClean, type Verdict } from './closing-audit.ts';
import { countLogRecords } from './count-log-records.ts';
import type { DemoApp } from './demo-app.ts';
import { Deployment, JOB_LOCK_MS, SLOTS } from './deployment.ts';
import { KillAWorker } from './kill-a-worker.ts';
import { LedgerWatch } from './ledger-watch.ts';
import { HELP, OptionError, parseOptions, type DemoOptions } from './options.ts';
import { ProgressBoard } from './progress-board.ts';
import { count, seconds } from './text.ts';
import { uploadFiles, type Upload } from './upload-files.ts';

const LOOK_EVERY_MS = 50;
/** Without a commit for so long, something is wrong: it takes a dead worker's file seconds to be taken over. */
const GIVE_UP_AFTER_MS = 60_000;
/** While the files are settling there is nothing to show. */
const QUIET_FOR_MS = 5_000;
const AUDIT_DEADLINE_MS = 300_000;
const SHOWN_PROBLEMS = 8;
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const board = new ProgressBoard(process.stdout);
let parts: OwnedParts | undefined;
let leaving = false;

/** Tells the story from the parts to the verdict. Returns the exit code. */
async function demo(options: DemoOptions): Promise<number> {
  board.say(
    board.styled(
      'bold',
      'CDR ingester demo: files go in, a worker is killed on the way, every row is counted at the end',
    ),
  );
  parts = await startAllParts();
  clearSettings();
  const deployment = await Deployment.plan(parts, options.workers);
  const upload = await makeFiles(deployment, options);
  try {
    await startApps(deployment);
    const ledger = new LedgerWatch(deployment.ledgerReader);
    await ingest(deployment, ledger, upload);
    const verdict = await closingAudit(deployment, ledger, upload);
    if (options.keep) await keepRunning(deployment);
    await deployment.disconnect();
    await deployment.stop();
    return isClean(verdict) ? 0 : 1;
  } finally {
    await deployment.disconnect();
  }
}

async function startAllParts(): Promise<OwnedParts> {
  board.heading('The parts');
  const startedAt = Date.now();
  const started = await startParts({ instance: 'demo', brokers: 1, progress: (line) => board.say(`  ${line}`) });
  const { SFTP_HOST, SFTP_PORT, REDIS_URL = '', KAFKA_BROKERS = '' } = started.env;
  say('OpenSSH', `${SFTP_HOST}:${SFTP_PORT}`.padEnd(18), 'the SFTP server that the CDR files arrive on');
  say('Redis', new URL(REDIS_URL).host.padEnd(18), 'holds the queue of files, and a copy of the ledger for look-ups');
  say('Kafka', KAFKA_BROKERS.padEnd(18), 'stands for Redpanda: the topics, and the ledger of what was ingested');
  board.say(`  Started in ${seconds(Date.now() - startedAt)}.`);
  return started;
}

async function makeFiles(deployment: Deployment, options: DemoOptions): Promise<Upload> {
  board.heading('The files');
  const startedAt = Date.now();
  const upload = await uploadFiles(deployment.config.sftp, options);
  const rows = upload.files.reduce((sum, file) => sum + file.rows, 0);
  const damaged = upload.files.reduce((sum, file) => sum + file.damaged, 0);
  const megabytes = upload.files.reduce((sum, file) => sum + file.bytes, 0) / 1e6;
  board.say(
    `  ${count(options.files)} of ${count(options.rows)} rows, data and voice in turn, and one of ${count(upload.large.rows)} to be interrupted:`,
  );
  board.say(
    `  ${count(rows)} rows, ${megabytes.toFixed(1)} MB, ${count(damaged)} rows cut off on purpose; uploaded in ${seconds(Date.now() - startedAt)}.`,
  );
  return upload;
}

async function startApps(deployment: Deployment): Promise<void> {
  board.heading('The ingester');
  await deployment.start();
  const { scanner, workers, dashboard } = deployment;
  const processOf = (app: DemoApp): string => `process ${app.pid}`.padEnd(18);
  say(scanner.name, processOf(scanner), 'lists the server and adds one job per new file');
  for (const worker of workers)
    say(worker.name, processOf(worker), `${SLOTS} files at a time, one transaction per file`);
  if (dashboard) say(dashboard.name, processOf(dashboard), deployment.dashboardUrl);
  board.say(`  Logs: ${path.relative(process.cwd(), path.dirname(deployment.scanner.logFile))}/*.log`);
}

/** Watches until every file is committed in the ledger, and kills a worker in between. */
async function ingest(deployment: Deployment, ledger: LedgerWatch, upload: Upload): Promise<void> {
  board.heading('Ingesting, as soon as the files have not changed for a second');
  const told = (line: string): void => board.say(`  ${board.styled('yellow', line)}`);
  const killer = new KillAWorker(deployment.workers, ledger, upload, SLOTS, told);
  let takeoverTold = false;
  const startedAt = Date.now();
  for (;;) {
    await ledger.refresh();
    await killer.step();
    const { takeover } = killer;
    if (takeover && !takeoverTold) {
      takeoverTold = true;
      told(
        `${takeover.file} taken over after ${seconds(takeover.takenOverAfterMs)} (lock ${JOB_LOCK_MS / 1000} s) by ${takeover.by}, committed after ${seconds(takeover.committedAfterMs)}`,
      );
    }
    const done = ledger.committedFiles >= upload.files.length;
    const { waiting, delayed, active, failed } = await deployment.queue.counts();
    const begun =
      ledger.committedFiles + waiting + delayed + active + failed > 0 || Date.now() - startedAt > QUIET_FOR_MS;
    if (begun)
      board.progress(
        {
          files: ledger.committedFiles,
          filesTotal: upload.files.length,
          rows: ledger.rows,
          rowsPerSecond: ledger.rowsPerSecond,
          waiting: waiting + delayed,
          active,
          failed,
        },
        done,
      );
    if (done) break;
    const dead = [deployment.scanner, ...deployment.workers].find(
      (app) => !app.isRunning && !killer.isExpectedDown(app),
    );
    if (dead) throw new Error(`${dead.name} ended by itself.\n${dead.logTail(5)}`);
    if (Date.now() - Math.max(startedAt, ledger.changedAt) > GIVE_UP_AFTER_MS)
      throw new Error(whatIsMissing(ledger, upload, deployment.workers));
    await delay(LOOK_EVERY_MS);
  }
  await killer.end();
  if (!killer.takeover) told('No file was taken over: the large file was committed before its worker could be killed.');
}

function whatIsMissing(ledger: LedgerWatch, upload: Upload, workers: readonly DemoApp[]): string {
  const missing = upload.files.filter((file) => ledger.records.get(file.name)?.state !== 'committed');
  const names = missing.slice(0, SHOWN_PROBLEMS).map((file) => file.name);
  return [
    `Nothing was committed for ${GIVE_UP_AFTER_MS / 1000} s; ${count(missing.length)} of ${count(upload.files.length)} files are missing in the ledger:`,
    ...names.map((name) => `  ${name}`),
    ...(missing.length > names.length ? ['  ...'] : []),
    ...workers.map((worker) => worker.logTail(5)),
  ].join('\n');
}

async function closingAudit(deployment: Deployment, ledger: LedgerWatch, upload: Upload): Promise<Verdict> {
  board.heading("Closing audit: the generated files, the ledger, and Kafka's own Java consumer (read_committed)");
  const { data, voice, rejects } = deployment.topics;
  const java = await CommittedReader.start(deployment.env.KAFKA_BROKERS ?? '', (line) => board.say(`  ${line}`));
  const counted = await java.countBySourceFile([data, voice, rejects], AUDIT_DEADLINE_MS).finally(() => java.stop());
  const inLog = await countLogRecords(deployment.cluster, [data, voice]);
  const expected = upload.files.map((file) => ({ ...file, topic: file.feed === 'data' ? data : voice }));
  const verdict = audit({ expected, ledger: ledger.records, counted, rejectsTopic: rejects });
  const clean = isClean(verdict);
  const [header = '', ...lines] = auditTable(verdict);
  board.say(`  ${board.styled('dim', header)}`);
  for (const line of lines) board.say(`  ${line}`);
  board.say();
  for (const problem of verdict.problems.slice(0, SHOWN_PROBLEMS)) board.say(`  ${board.styled('red', problem)}`);
  if (verdict.problems.length > SHOWN_PROBLEMS) board.say(`  ... and ${verdict.problems.length - SHOWN_PROBLEMS} more`);
  const { rows, messages } = verdict.total;
  const invisible = inLog - messages;
  if (invisible > 0)
    board.say(
      `  The log holds ${count(invisible)} more records, of killed attempts; no read_committed consumer sees them.`,
    );
  board.say(
    `  ${count(rows)} rows in ${seconds(ledger.durationMs)}, the kill included: ${count((rows * 1000) / ledger.durationMs)} records/s.`,
  );
  board.say(
    clean
      ? `  ${board.styled(['green', 'bold'], 'Every row of every file is there exactly once.')}`
      : `  ${board.styled(['red', 'bold'], 'The numbers do not agree.')}`,
  );
  return verdict;
}

/** Leaves the user with everything running, until a signal comes. */
async function keepRunning(deployment: Deployment): Promise<void> {
  board.heading('Everything goes on running until Ctrl-C. To use it from another shell:');
  for (const [name, value] of Object.entries({ ...deployment.env, ...printedMark(deployment.env) }))
    board.say(`export ${name}='${value.replaceAll("'", `'\\''`)}'`);
  const { promise, resolve } = Promise.withResolvers<void>();
  release = resolve;
  // a pending promise alone does not keep a process alive
  const alive = setInterval(() => undefined, 60_000);
  await promise.finally(() => clearInterval(alive));
  board.say();
}

/** Set while everything is kept running: a signal is the ordinary end then. */
let release: (() => void) | undefined;

function say(what: string, where: string, about = ''): void {
  board.say(`  ${what.padEnd(12)}${where}  ${about}`.trimEnd());
}

/** A signal stops everything; a second one does not wait for it. */
function onSignal(signal: keyof typeof SIGNALS): void {
  if (release !== undefined && !leaving) {
    release();
    release = undefined;
    return;
  }
  // what is started but not known yet is killed by the exit itself
  if (leaving || parts === undefined) process.exit(SIGNALS[signal]);
  leaving = true;
  board.say();
  board.say('  Stopping everything.');
  board.end();
  void parts.stop().finally(() => process.exit(SIGNALS[signal]));
}

async function main(args: string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (options === 'help') {
      console.log(HELP);
      return 0;
    }
    for (const signal of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) process.on(signal, onSignal);
    return await demo(options);
  } catch (error) {
    // the parts are being stopped under the feet of what runs: its complaints mean nothing
    if (leaving) await new Promise(() => undefined);
    const wrongOption = error instanceof OptionError;
    console.error(`demo: ${wrongOption ? error.message : describeError(error)}`);
    return wrongOption ? 2 : 1;
  }
}

const exitCode = await main(process.argv.slice(2));
await parts?.stop();
process.exit(exitCode);
