import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { parse } from 'csv-parse';
import kafkajs from 'kafkajs';
import SftpClient from 'ssh2-sftp-client';

/**
 * What one would write in an afternoon for the same task, with the usual packages and no thought of crashes: list the
 * directory, stream each file through csv-parse into objects, and send a thousand at a time with kafkajs, acknowledged by
 * all replicas. The benchmark's yardstick.
 */
const env = process.env;
const BATCH = 1_000;

const say = (msg: string): void => console.log(JSON.stringify({ msg, time: new Date().toISOString() }));

/** What the repository's own types of the package leave out. */
interface Downloads {
  list(directory: string): Promise<{ name: string }[]>;
  get(path: string, into: Writable): Promise<unknown>;
}

const nothing = (): void => undefined;
const sftp = new SftpClient('reference', { error: nothing, end: nothing, close: nothing }) as SftpClient & Downloads;
const keyFile = env['SFTP_PRIVATE_KEY_FILE'];
await sftp.connect({
  host: env['SFTP_HOST'] ?? '',
  port: Number(env['SFTP_PORT']),
  username: env['SFTP_USER'] ?? '',
  ...(keyFile ? { privateKey: readFileSync(keyFile) } : { password: env['SFTP_PASSWORD'] ?? '' }),
});
const kafka = new kafkajs.Kafka({ brokers: (env['KAFKA_BROKERS'] ?? '').split(','), logLevel: kafkajs.logLevel.ERROR });
const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
await producer.connect();
say('reference ready');

const directory = env['SFTP_REMOTE_PATH'] ?? '';
const files = (await sftp.list(directory)).filter(({ name }) => /^cdr_(data|voice)_.*\.csv$/.test(name));
for (const { name } of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
  const recordType = name.startsWith('cdr_data_') ? 'data' : 'voice';
  const topic = (recordType === 'data' ? env['CDR_DATA_TOPIC'] : env['CDR_VOICE_TOPIC']) ?? '';
  const parser = parse({ columns: true });
  const download = sftp.get(`${directory}/${name}`, parser);
  let messages: { key: string; value: string }[] = [];
  for await (const row of parser as AsyncIterable<Record<string, string>>) {
    messages.push({
      key: row['msisdn'] ?? '',
      value: JSON.stringify({
        ...row,
        _source_file: name,
        _ingestion_timestamp: new Date().toISOString(),
        _record_type: recordType,
      }),
    });
    if (messages.length === BATCH) {
      await producer.send({ topic, acks: -1, messages });
      messages = [];
    }
  }
  if (messages.length > 0) await producer.send({ topic, acks: -1, messages });
  await download;
  say(`Completed ${name}`);
}
say('reference done');
// so that what it used can be read, until it is told to leave
setInterval(() => undefined, 60_000);
process.on('SIGTERM', () => process.exit(0));
