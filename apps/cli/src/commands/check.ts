import { randomUUID } from 'node:crypto';
import { CdrError, describeError } from '@cdr/core/errors';
import { claimedFiles } from '@cdr/core/select-files';
import { SettingsError } from '@cdr/core/settings';
import { transactionalIdOf } from '@cdr/core/transactional-id';
import { lackingRights } from '@cdr/kafka/kafka-rights';
import { countBrokers, inspectTopics } from '@cdr/kafka/topics';
import { sameLedger } from '@cdr/queue/ledger-projection';
import { redisClockOffsetMs, redisWarnings } from '@cdr/queue/redis-connection';
import { hideUrlCredentials } from '@cdr/telemetry/log-line';
import type { Command } from 'commander';
import { checkProtocol, type StepResult } from '../check-protocol.ts';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { wholeConfig } from '../config.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import { count, duration, plural } from '../output/words.ts';

interface CheckOptions extends CommonOptions {
  readonly protocol?: boolean;
}

interface CheckResult {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly warnings: readonly string[];
}

/** What a check has found; it throws when it fails. */
interface Finding {
  readonly detail: string;
  readonly warnings?: readonly string[];
}

/** Clocks only name things here; apart by more than this, they make logs hard to read. */
const CLOCK_WARNING_MS = 5_000;

const CHECK_HELP = `
Every check runs, also when another one fails. That of the rights opens a transaction on each topic, writes no row and
aborts it. --protocol tries out on your cluster what the exactly-once promise rests on:
it creates three topics named after the ledger topic with "-check-" and a random suffix, and deletes them at the end.`;

export function addCheck(program: Command, run: Runner): void {
  program
    .command('check')
    .description('look whether everything is reached and set up as it must be, and say what to do where it is not')
    .option('--protocol', "try out the brokers' part of the exactly-once protocol, with scratch topics")
    .addHelpText('after', CHECK_HELP)
    .action((options: CheckOptions) =>
      run(options, (context) => (options.protocol ? protocol(context) : check(context))),
    );
}

async function check(context: CommandContext): Promise<ExitCode> {
  const { out } = context;
  const results: CheckResult[] = [];
  const finished = (result: CheckResult): void => {
    results.push(result);
    if (!out.json) writeCheck(out, result);
  };
  finished(await outcomeOf('settings', () => checkSettings(context)));
  // all at the same time, since each one that is away costs seconds; told in the same order every time
  const others = [
    [outcomeOf('sftp', () => checkSftp(context))],
    [outcomeOf('redis', () => checkRedis(context))],
    [outcomeOf('kafka', () => checkKafka(context))],
    topicOutcomes(context),
    [outcomeOf('rights', () => checkRights(context)), outcomeOf('ledger', () => checkLedger(context))],
  ];
  for (const outcomes of others) for (const outcome of await outcomes) finished(await outcome);

  const failed = results.filter(({ state }) => state === 'failed').length;
  out.answer({ ok: failed === 0, checks: results }, () =>
    out.line(failed === 0 ? 'all well' : `${plural(failed, 'check')} failed`),
  );
  return failed === 0 ? EXIT.ok : EXIT.no;
}

async function outcomeOf(name: string, look: () => Promise<Finding>): Promise<CheckResult> {
  try {
    const { detail, warnings = [] } = await look();
    return { check: name, state: warnings.length > 0 ? 'warning' : 'ok', detail, warnings };
  } catch (error) {
    const text = error instanceof SettingsError ? `wrong settings: ${error.problems.join('; ')}` : describeError(error);
    return { check: name, state: 'failed', detail: hideUrlCredentials(text), warnings: [] };
  }
}

async function checkSettings({ parts }: CommandContext): Promise<Finding> {
  const { sftp } = wholeConfig(parts);
  return {
    detail: 'complete',
    warnings:
      sftp.hostKey === 'any'
        ? [
            'SFTP_HOST_KEY=any: anybody in between can pose as the SFTP server ' +
              `(its fingerprint: ssh-keyscan -p ${sftp.port} ${sftp.host} | ssh-keygen -lf -)`,
          ]
        : [],
  };
}

async function checkSftp({ parts, connections }: CommandContext): Promise<Finding> {
  const { sftp } = parts.files();
  const listing = await connections.sftp().withChannel((channel) => channel.list(sftp.remotePath));
  const files = listing.filter(({ isRegularFile }) => isRegularFile);
  const ahead = files.reduce((most, { mtimeMs }) => Math.max(most, mtimeMs - Date.now()), 0);
  const key = sftp.hostKey === 'any' ? 'host key not checked' : 'host key as pinned';
  return {
    detail: `${sftp.user}@${sftp.host}:${sftp.port}${sftp.remotePath}, ${key}, ${plural(files.length, 'file')}${ofFeeds(parts, files)}`,
    warnings:
      ahead > CLOCK_WARNING_MS
        ? [`its newest file is from ${duration(ahead)} in the future: the clock of one of the two machines is wrong`]
        : [],
  };
}

function ofFeeds(parts: CommandContext['parts'], files: Parameters<typeof claimedFiles>[0]): string {
  try {
    return `, ${count(claimedFiles(files, parts.kafka().feeds).length)} of them CDR files`;
  } catch {
    // settings of Kafka that are wrong show in its own check
    return '';
  }
}

async function checkRedis({ connections }: CommandContext): Promise<Finding> {
  const redis = await connections.redis();
  const warnings = await redisWarnings(redis);
  const offsetMs = Math.round(await redisClockOffsetMs(redis));
  if (Math.abs(offsetMs) > CLOCK_WARNING_MS)
    warnings.push(`its clock and this machine's are ${duration(Math.abs(offsetMs))} apart: run NTP on both`);
  const jobs = await (await connections.queue()).counts();
  return {
    detail: `reached, clock ${offsetMs >= 0 ? '+' : ''}${offsetMs} ms, ${count(jobs.waiting)} jobs waiting, ${count(jobs.failed)} failed`,
    warnings,
  };
}

async function checkKafka({ parts }: CommandContext): Promise<Finding> {
  const { kafka, topics } = parts.kafka();
  const brokers = await countBrokers(kafka);
  return {
    detail: `${plural(brokers, 'broker')} up`,
    warnings:
      brokers < topics.replication
        ? [`fewer than TOPIC_REPLICATION=${topics.replication}: topics cannot be created, and writes may be refused`]
        : [],
  };
}

async function topicOutcomes({ parts }: CommandContext): Promise<CheckResult[]> {
  try {
    const { kafka, topics } = parts.kafka();
    const findings = await inspectTopics(kafka, topics);
    return await Promise.all(
      findings.map(({ topic, found }) =>
        outcomeOf(`topic ${topic}`, async () => {
          if (found instanceof CdrError) throw found;
          const { partitions, replication, warnings } = found;
          return { detail: `${plural(partitions, 'partition')}, ${plural(replication, 'replica')}`, warnings };
        }),
      ),
    );
  } catch (error) {
    return [await outcomeOf('topics', () => Promise.reject(error instanceof Error ? error : new Error(String(error))))];
  }
}

/** Whether the Kafka user may do what an attempt does. All that is missing at once, since each takes somebody's time. */
async function checkRights({ parts }: CommandContext): Promise<Finding> {
  const { kafka, topics } = parts.kafka();
  // of no file, since a key has no slash, and of no other check
  const transactionalId = transactionalIdOf(topics.ledgerTopic, `/check/${randomUUID()}`);
  const { needed, toRead } = await lackingRights(kafka, topics, transactionalId);
  const [first, ...others] = needed;
  if (first)
    throw new CdrError(first.code, [...others.map(({ message }) => message), first.message].join('; '), {
      hint: first.hint,
    });
  return {
    detail: 'to write all topics in a transaction, and to read the ledger',
    warnings: toRead.map((error) => `cdr audit and cdr rejects cannot read all topics: ${describeError(error)}`),
  };
}

/** Whether what Redis remembers belongs to this ledger, and how far behind it is. */
async function checkLedger({ connections }: CommandContext): Promise<Finding> {
  const { projection, ledgerReader, ledger } = await connections.ledger();
  const [position, end, files] = await Promise.all([
    projection.position(),
    ledgerReader.stableEnd(),
    projection.size(),
  ]);
  if (!position)
    return { detail: `offset ${end}; Redis knows nothing of it yet: the scanner reads it before its first scan` };
  if (!sameLedger(position, ledger()))
    return {
      detail: `offset ${end}`,
      warnings: [
        `Redis remembers the ledger ${position.topic} of cluster ${position.clusterId}: the next scan reads this one instead. ` +
          'Should two deployments share this Redis, give each a REDIS_PREFIX of its own',
      ],
    };
  if (position.offset > end)
    throw new CdrError('ledger-lost', `the topic ends at ${end}, and Redis has seen it up to ${position.offset}`, {
      hint: 'Records of it were lost or the topic was made anew. Nothing is ingested until you decide: cdr start-over --help, docs/operations.md.',
    });
  return { detail: `offset ${end}, ${plural(files, 'file')}, Redis is ${count(Number(end - position.offset))} behind` };
}

const STATES = { ok: ['ok', 'green'], warning: ['warning', 'yellow'], failed: ['FAILED', 'red'] } as const;

function writeCheck(out: Output, { check: name, state, detail, warnings }: CheckResult): void {
  const [text, style] = STATES[state];
  out.line({ text: text.padEnd(8), style }, ` ${name}: ${detail}`);
  for (const warning of warnings) out.line(`           ${warning}`);
}

async function protocol({ parts, out }: CommandContext): Promise<ExitCode> {
  const report = ({ step, ok, detail }: StepResult): void => {
    if (!out.json)
      out.line({ text: ok ? 'ok    ' : 'FAILED', style: ok ? 'green' : 'red' }, `  ${step}`, {
        text: `: ${detail}`,
        style: 'dim',
      });
  };
  const steps = await checkProtocol(parts.kafka(), report);
  const failed = steps.filter(({ ok }) => !ok).length;
  out.answer({ ok: failed === 0, steps }, () =>
    out.line(
      failed === 0
        ? 'the cluster keeps what the protocol rests on'
        : `${plural(failed, 'step')} failed: do not ingest into this cluster`,
    ),
  );
  return failed === 0 ? EXIT.ok : EXIT.no;
}
