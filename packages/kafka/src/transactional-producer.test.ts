import { CdrError } from '@cdr/core/errors';
import { describe, expect, it } from 'vitest';
import { BufferPool } from './buffer-pool.ts';
import { compressorFor } from './compression.ts';
import { BrokerError, toCdrError } from './kafka-errors.ts';
import { RecordBatch } from './record-batch.ts';
import type { Call } from './requests.ts';
import { TransactionalProducer, type ProducerCluster } from './transactional-producer.ts';

const TARGET = { topic: 'cdr-data', partition: 0 };
const INVALID_PRODUCER_EPOCH = 47;

/** How the cluster answers a produce: an offset, or what comes of asking until the deadline. */
type Produced = (onRetry: () => void) => bigint;

/** A cluster that notes what it is asked. */
class NotedCluster implements ProducerCluster {
  readonly asked: string[] = [];
  private readonly produced: Produced;

  constructor(produced: Produced) {
    this.produced = produced;
  }

  async askCoordinator<Answer>(_: string, call: Call<Answer>): Promise<Answer> {
    this.asked.push(call.apiName);
    return { producerId: 7n, epoch: 3 } as Answer;
  }

  async askLeader<Answer>(
    _: unknown,
    call: Call<Answer>,
    { onRetry }: { onRetry?: (error: Error) => void },
  ): Promise<Answer> {
    this.asked.push(call.apiName);
    return this.produced(() => onRetry?.(new Error('the connection broke'))) as Answer;
  }

  forgetCoordinator(): void {
    // it remembers none
  }
}

async function abortAfter(produced: Produced): Promise<string[]> {
  const cluster = new NotedCluster(produced);
  const producer = await TransactionalProducer.fence(cluster, 'cdr-x', 60_000);
  await producer.addPartitions([TARGET]);
  const batch = new RecordBatch(new BufferPool(4_096, 1));
  const value = Buffer.from('{}');
  batch.append(value, 0, 0, value, 0, value.length);
  batch.seal(compressorFor('none'));
  await producer.produce(TARGET, batch).catch((error: unknown) => expect(error).toBeInstanceOf(CdrError));
  cluster.asked.length = 0;
  await producer.abort();
  return cluster.asked;
}

describe('aborting', () => {
  it.each<[string, Produced]>([
    ['a batch that was written', () => 5n],
    [
      'a batch that was refused at once',
      () => {
        throw toCdrError('Produce', new BrokerError('Produce', INVALID_PRODUCER_EPOCH));
      },
    ],
    [
      'a batch whose repetition was answered',
      (onRetry) => {
        onRetry();
        return 5n;
      },
    ],
  ])('tells the coordinator behind %s', async (_, produced) => {
    expect(await abortAfter(produced)).toEqual(['EndTxn(abort)']);
  });

  it.each<[string, Produced]>([
    [
      'was never answered',
      () => {
        throw toCdrError('Produce', new Error('request timed out'));
      },
    ],
    [
      'was not answered at first, and refused when it was repeated',
      (onRetry) => {
        onRetry();
        throw toCdrError('Produce', new BrokerError('Produce', INVALID_PRODUCER_EPOCH));
      },
    ],
  ])('is left to the next fence when a batch %s, and may arrive yet', async (_, produced) => {
    expect(await abortAfter(produced)).toEqual([]);
  });
});
