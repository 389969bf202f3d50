import { readFileSync } from 'node:fs';
import { compressorFor } from '@cdr/kafka/compression';
import { KafkaCluster } from '@cdr/kafka/kafka-cluster';
import { produce, type TopicPartition } from '@cdr/kafka/requests';
import { TransactionalProducer } from '@cdr/kafka/transactional-producer';
import { workerConfig } from '../apps/worker/src/config.ts';
import { measureAlone, tellResult } from './alone.ts';
import { BatchFiller, givenFile, transformFile } from './encode-file.ts';

/**
 * How fast the broker takes what the worker would send it: the batches of a whole file, encoded, numbered and with their
 * checksums before the clock begins, produced in one transaction. BENCH_IN_FLIGHT of each partition are under way at a
 * time; the worker has one.
 */
const PRODUCE_TIMEOUT_MS = 30_000;
const DEADLINE_MS = 60_000;

const config = workerConfig(process.env, 'bench', (path) => readFileSync(path, 'utf8'));
const [feed] = config.feeds;
if (feed === undefined) throw new Error('no feed');
const rows = Number(process.env['BENCH_ROWS']);
const inFlight = Number(process.env['BENCH_IN_FLIGHT'] ?? 1);
const compressor = compressorFor(config.writer.compression);

const cluster = new KafkaCluster(config.kafka);
await cluster.connect([feed.topic]);
const transactionalId = `bench-${process.pid}`;
const producer = await TransactionalProducer.fence(cluster, transactionalId, config.writer.transactionTimeoutMs);

interface Lane {
  readonly target: TopicPartition;
  readonly batches: Buffer[];
  records: number;
}
const lanes = Array.from({ length: await cluster.partitionCount(feed.topic) }, (_, partition): Lane => {
  return { target: { topic: feed.topic, partition }, batches: [], records: 0 };
});
const filler = new BatchFiller(lanes.length, (batch, partition) => {
  const lane = lanes[partition];
  if (lane === undefined) throw new Error('no such partition');
  batch.seal(compressor);
  // a copy, so that the buffer of a megabyte is free for the next batch
  lane.batches.push(Buffer.from(batch.stamp(producer.identity, lane.records, Date.now())));
  lane.records += batch.count;
  batch.release();
});
transformFile(givenFile(), feed, (block) => filler.add(block));
filler.finish();

async function sendAll({ target, batches }: Lane): Promise<number> {
  const underWay: Promise<unknown>[] = [];
  let bytes = 0;
  for (const batch of batches) {
    if (underWay.length >= inFlight) await underWay.shift();
    bytes += batch.length;
    const call = produce(transactionalId, target, batch, PRODUCE_TIMEOUT_MS);
    underWay.push(cluster.askLeader(target, call, { deadlineMs: DEADLINE_MS }));
  }
  await Promise.all(underWay);
  return bytes;
}

const result = await measureAlone(rows, async () => {
  await producer.addPartitions(lanes.map(({ target }) => target));
  const bytes = await Promise.all(lanes.map(sendAll));
  await producer.commit();
  return bytes.reduce((sum, count) => sum + count, 0) / 1e6;
});
tellResult(result);
await cluster.close();
