import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { parseArgs } from 'node:util';
import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { ensureTopics } from '@cdr/kafka/topics';
import { startParts } from '../../dev/services/parts.ts';
import { CLIENTS, type Client, type Seen } from './clients.ts';
import { PARTITIONS, writeTopic, type Written } from './write-topic.ts';

const HELP = `Writes committed and aborted transactions to a topic of a real Kafka, reads it with the clients that consumers have, and
prints what each of them saw. Read what it found in docs/migrating.md.

  node --conditions=@cdr/source tests/compat/main.ts [--compression none|gzip|lz4|zstd] [--files N] [--rows N] [CLIENT...]

Clients: ${Object.keys(CLIENTS).join(', ')}.
Needs Python 3.11 with venv; the Python clients are installed into a temporary folder. KAFKA_BROKERS in the environment is
used instead of a Kafka of its own. Ends with 1 when a client that should be right is not.`;

const run = promisify(execFile);
const CODECS = ['none', 'gzip', 'lz4', 'zstd'] as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    compression: { type: 'string', default: 'none' },
    files: { type: 'string', default: '120' },
    rows: { type: 'string', default: '2000' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const compression = CODECS.find((codec) => codec === values.compression);
const unknown = positionals.filter((name) => !(name in CLIENTS));
if (values.help || !compression || unknown.length > 0) {
  console.error(HELP);
  process.exit(values.help ? 0 : 2);
}

const wanted = Object.entries(CLIENTS).filter(([name]) => positionals.length === 0 || positionals.includes(name));
const workDir = mkdtempSync(path.join(tmpdir(), 'cdr-compat-'));
const parts = await startParts({ instance: 'compat', progress: (line) => console.error(line) });
try {
  const brokers = (parts.env.KAFKA_BROKERS ?? '').split(',');
  const topic = `compat-${Date.now()}`;
  const written = await write(brokers, topic);
  console.log(
    `${written.transactions} transactions, ${written.abortedTransactions} of them aborted, up to 6 at a time; ` +
      `${written.committedRows} rows committed, ${written.abortedRows} aborted; ${PARTITIONS} partitions; compression ${compression}\n`,
  );
  console.log('| client | isolation | committed rows seen | aborted rows seen | other records | verdict |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const [name, client] of wanted) await report(name, client, brokers, topic, written);
} finally {
  await parts.stop();
  rmSync(workDir, { recursive: true, force: true });
}
// clients leave timers behind
process.exit();

async function write(brokers: readonly string[], topic: string): Promise<Written> {
  const kafka = { brokers, clientId: 'cdr-compat' };
  const ledgerTopic = `${topic}-ledger`;
  await ensureTopics(kafka, {
    recordTopics: [topic],
    rejectsTopic: `${topic}-rejects`,
    ledgerTopic,
    partitions: PARTITIONS,
    replication: 1,
  });
  const cluster = new KafkaCluster(kafka);
  await cluster.connect([topic, ledgerTopic]);
  try {
    return await writeTopic(cluster, {
      topic,
      ledgerTopic,
      compression: compression ?? 'none',
      transactions: Number(values.files),
      rows: Number(values.rows),
    });
  } finally {
    await cluster.close();
  }
}

async function report(
  name: string,
  client: Client,
  brokers: readonly string[],
  topic: string,
  { committedRows, abortedRows }: Written,
): Promise<void> {
  let python: string | undefined;
  if (client.python) {
    const venv = path.join(workDir, client.python.join('-'));
    await run('python3', ['-m', 'venv', venv]);
    python = path.join(venv, 'bin/python');
    await run(python, ['-m', 'pip', 'install', '--quiet', ...client.python], { timeout: 300_000 });
  }
  for (const isolation of client.isolations) {
    let seen: Seen | string;
    try {
      seen = await client.read({ brokers: brokers.join(','), topic, isolation, python });
    } catch (error) {
      seen =
        error instanceof Error
          ? (error.message.split('\n').findLast((line) => line.trim() !== '') ?? '')
          : String(error);
    }
    const exact =
      typeof seen === 'object' && seen.committed === committedRows && seen.aborted === 0 && seen.other === 0;
    if (!exact && isolation === client.right) process.exitCode = 1;
    console.log(
      typeof seen === 'object'
        ? `| ${name} | ${isolation} | ${seen.committed} of ${committedRows} | ${seen.aborted} of ${abortedRows} | ${seen.other} | ${exact ? 'exact' : verdictOn(seen)} |`
        : `| ${name} | ${isolation} | | | | ${seen.slice(0, 160)} |`,
    );
  }
}

function verdictOn({ aborted, other }: Seen): string {
  if (other > 0) return 'shows aborted rows and control markers';
  return aborted > 0 ? 'shows aborted rows' : 'misses rows';
}
