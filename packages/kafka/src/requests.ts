import type { RawRequest } from './kafkajs-internals.ts';
import {
  BrokerError,
  describing,
  NONE,
  OPERATION_NOT_ATTEMPTED,
  THROTTLED,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
} from './kafka-errors.ts';
import { WireReader, WireWriter } from './wire.ts';

/**
 * The requests that this package speaks itself, each in one fixed version that Kafka 2.x to 4.x and Redpanda serve and
 * that has no compact fields; but for the last one, which not every broker serves. https://kafka.apache.org/protocol
 */
export interface Call<Answer> extends RawRequest {
  readonly read: (answer: Buffer) => Answer;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly epoch: number;
}

function check(apiName: string, errorCode: number, right?: string): void {
  if (errorCode !== NONE) throw new BrokerError(apiName, errorCode, right);
}

function onId(operation: string, transactionalId: string): string {
  return `${operation} on transactional id ${transactionalId} (on the prefix ${transactionalId.slice(0, transactionalId.indexOf('-') + 1)})`;
}

/** Who coordinates a transactional id. Answers the node id. */
export function findTransactionCoordinator(transactionalId: string): Call<number> {
  const apiName = 'FindCoordinator';
  return {
    apiKey: 10,
    apiVersion: 1,
    apiName,
    body: new WireWriter().string(transactionalId).int8(1).finish(),
    read: (answer) => {
      const reader = new WireReader(answer);
      reader.int32(); // throttle time
      check(apiName, reader.int16(), onId('Describe', transactionalId));
      reader.string(); // error message
      return reader.int32();
    },
  };
}

/** Fences every earlier producer of the id and aborts what it left open. */
export function initProducerId(transactionalId: string, transactionTimeoutMs: number): Call<ProducerIdentity> {
  const apiName = 'InitProducerId';
  return {
    apiKey: 22,
    apiVersion: 1,
    apiName,
    body: new WireWriter().string(transactionalId).int32(transactionTimeoutMs).finish(),
    read: (answer) => {
      const reader = new WireReader(answer);
      reader.int32();
      check(apiName, reader.int16(), onId('Write', transactionalId));
      return { producerId: reader.int64(), epoch: reader.int16() };
    },
  };
}

export function addPartitionsToTxn(
  transactionalId: string,
  { producerId, epoch }: ProducerIdentity,
  partitions: readonly TopicPartition[],
): Call<void> {
  const apiName = 'AddPartitionsToTxn';
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic);
  return {
    apiKey: 24,
    apiVersion: 1,
    apiName,
    body: new WireWriter()
      .string(transactionalId)
      .int64(producerId)
      .int16(epoch)
      .array([...byTopic], (writer, [topic, list]) =>
        writer.string(topic).array(list, (inner, { partition }) => inner.int32(partition)),
      )
      .finish(),
    read: (answer) => {
      const reader = new WireReader(answer);
      reader.int32();
      const answers = reader.array((topic) => {
        const name = topic.string() ?? '';
        return topic.array((partition) => ({ name, index: partition.int32(), errorCode: partition.int16() }));
      });
      // those that were not tried say nothing of why: the reason is at another partition
      const refused = answers.flat().filter(({ errorCode }) => errorCode !== NONE);
      const reason = refused.find(({ errorCode }) => errorCode !== OPERATION_NOT_ATTEMPTED) ?? refused[0];
      if (!reason) return;
      const ofId = reason.errorCode === TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
      check(
        `${apiName} for ${reason.name}/${reason.index}`,
        reason.errorCode,
        ofId ? onId('Write', transactionalId) : `Write on topic ${reason.name}`,
      );
    },
  };
}

export function endTxn(
  transactionalId: string,
  { producerId, epoch }: ProducerIdentity,
  outcome: 'commit' | 'abort',
): Call<void> {
  const apiName = `EndTxn(${outcome})`;
  return {
    apiKey: 26,
    apiVersion: 1,
    apiName,
    body: new WireWriter()
      .string(transactionalId)
      .int64(producerId)
      .int16(epoch)
      .int8(outcome === 'commit' ? 1 : 0)
      .finish(),
    read: (answer) => {
      const reader = new WireReader(answer);
      reader.int32();
      check(apiName, reader.int16(), onId('Write', transactionalId));
    },
  };
}

/** One record batch to one partition, acknowledged by all in-sync replicas. Answers the offset of its first record. */
export function produce(
  transactionalId: string,
  { topic, partition }: TopicPartition,
  batch: Buffer,
  timeoutMs: number,
): Call<bigint> {
  const apiName = 'Produce';
  return {
    apiKey: 0,
    apiVersion: 7,
    apiName,
    body: new WireWriter()
      .string(transactionalId)
      .int16(-1) // acks: all
      .int32(timeoutMs)
      .int32(1)
      .string(topic)
      .int32(1)
      .int32(partition)
      .int32(batch.length)
      .finish(),
    attachment: batch,
    read: (answer) => {
      const reader = new WireReader(answer);
      reader.int32(); // one topic
      reader.string();
      reader.int32(); // one partition
      reader.int32();
      const errorCode = reader.int16();
      const ofId = errorCode === TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
      check(
        `${apiName} to ${topic}/${partition}`,
        errorCode,
        ofId ? onId('Write', transactionalId) : `Write on topic ${topic}`,
      );
      return reader.int64();
    },
  };
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

export interface FetchedPartition {
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
  readonly logStartOffset: bigint;
  /** Only filled under read_committed. */
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches, the last one possibly cut short. */
  readonly records: Buffer;
}

/** Log of one partition from an offset on. Never waits: an empty answer means that there is nothing there now. */
export function fetchPartition(
  { topic, partition }: TopicPartition,
  offset: bigint,
  isolation: 'read_uncommitted' | 'read_committed',
  maxBytes: number,
): Call<FetchedPartition> {
  const apiName = 'Fetch';
  return {
    apiKey: 1,
    apiVersion: 5,
    apiName,
    body: new WireWriter()
      .int32(-1) // not a replica
      .int32(0) // max wait
      .int32(0) // min bytes
      .int32(maxBytes)
      .int8(isolation === 'read_committed' ? 1 : 0)
      .int32(1)
      .string(topic)
      .int32(1)
      .int32(partition)
      .int64(offset)
      .int64(-1n) // log start offset: only replicas know one
      .int32(maxBytes)
      .finish(),
    read: (answer) => {
      const reader = new WireReader(answer);
      reader.int32();
      // a broker that throttles us answers with no topic at all
      if (reader.int32() === 0) throw new BrokerError(`${apiName} of ${topic}/${partition}`, THROTTLED);
      reader.string();
      reader.int32(); // one partition
      reader.int32();
      check(`${apiName} of ${topic}/${partition}`, reader.int16(), `Read on topic ${topic}`);
      return {
        highWatermark: reader.int64(),
        lastStableOffset: reader.int64(),
        logStartOffset: reader.int64(),
        aborted: reader.array((entry) => ({ producerId: entry.int64(), firstOffset: entry.int64() })),
        records: reader.bytesWithLength(),
      };
    },
  };
}

/** First offset of the log (`earliest`) or the one behind its last record (`latest`, under the isolation given). */
export function listOffset(
  { topic, partition }: TopicPartition,
  which: 'earliest' | 'latest',
  isolation: 'read_uncommitted' | 'read_committed' = 'read_uncommitted',
): Call<bigint> {
  const apiName = 'ListOffsets';
  return {
    apiKey: 2,
    apiVersion: 2,
    apiName,
    body: new WireWriter()
      .int32(-1)
      .int8(isolation === 'read_committed' ? 1 : 0)
      .int32(1)
      .string(topic)
      .int32(1)
      .int32(partition)
      .int64(which === 'earliest' ? -2n : -1n)
      .finish(),
    read: (answer) => {
      const reader = new WireReader(answer);
      reader.int32();
      reader.int32();
      reader.string();
      reader.int32();
      reader.int32();
      check(`${apiName} of ${topic}/${partition}`, reader.int16(), describing(topic));
      reader.int64(); // timestamp
      return reader.int64();
    },
  };
}

export const METADATA_API_KEY = 3;
/** The first version of Metadata that names topics by id as well. Redpanda serves none of them. */
export const TOPIC_ID_METADATA_VERSION = 10;

/** The id that a topic was given when it was created: another one under the same name has another. */
export function topicId(topic: string): Call<string> {
  const apiName = 'Metadata';
  const noTags = 0;
  return {
    apiKey: METADATA_API_KEY,
    apiVersion: TOPIC_ID_METADATA_VERSION,
    apiName,
    body: new WireWriter()
      .int8(noTags) // the end of the header, which has tags in this version
      .unsignedVarint(2) // one topic
      .raw(Buffer.alloc(16)) // asked for by name, not by id
      .compactString(topic)
      .int8(noTags)
      .int8(0) // do not create it
      .int8(0) // no rights of the cluster
      .int8(0) // nor of the topic
      .int8(noTags)
      .finish(),
    read: (answer) => {
      const reader = new WireReader(answer);
      reader.unsignedVarint(); // tags of the header: none
      reader.int32(); // throttle time
      const brokers = reader.unsignedVarint() - 1;
      for (let i = 0; i < brokers; i++) {
        reader.int32();
        reader.compactString(); // host
        reader.int32();
        reader.compactString(); // rack
        reader.unsignedVarint();
      }
      reader.compactString(); // cluster id
      reader.int32(); // controller
      reader.unsignedVarint(); // one topic
      check(`${apiName} of ${topic}`, reader.int16(), describing(topic));
      reader.compactString();
      return reader.raw(16).toString('base64url');
    },
  };
}
