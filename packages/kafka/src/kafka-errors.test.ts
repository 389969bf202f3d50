import { CdrError } from '@cdr/core/errors';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import {
  BrokerError,
  brokerErrorName,
  CONCURRENT_TRANSACTIONS,
  DUPLICATE_SEQUENCE_NUMBER,
  innermost,
  isNetworkError,
  NONE,
  OFFSET_OUT_OF_RANGE,
  reactionTo,
  toCdrError,
  toRefusal,
} from './kafka-errors.ts';
import { addPartitionsToTxn } from './requests.ts';
import { WireWriter } from './wire.ts';

const require = createRequire(import.meta.url);
const kafkajs = require('kafkajs/src/errors.js') as Record<string, new (...args: unknown[]) => Error>;
const { errorCodes } = require('kafkajs/src/protocol/error.js') as { errorCodes: { type: string; code: number }[] };

const named = (name: string, more: object = {}) => Object.assign(new Error('x'), { name, ...more });

describe('an error code of a broker', () => {
  // https://kafka.apache.org/protocol#protocol_error_codes
  it.each([
    [-1, 'UNKNOWN_SERVER_ERROR', 'retry'],
    [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'retry'],
    [5, 'LEADER_NOT_AVAILABLE', 'retry'],
    [6, 'NOT_LEADER_OR_FOLLOWER', 'retry'],
    [7, 'REQUEST_TIMED_OUT', 'retry'],
    [8, 'BROKER_NOT_AVAILABLE', 'retry'],
    [9, 'REPLICA_NOT_AVAILABLE', 'retry'],
    [10, 'MESSAGE_TOO_LARGE', 'kafka-topic'],
    [13, 'NETWORK_EXCEPTION', 'retry'],
    [14, 'COORDINATOR_LOAD_IN_PROGRESS', 'retry'],
    [15, 'COORDINATOR_NOT_AVAILABLE', 'retry'],
    [16, 'NOT_COORDINATOR', 'retry'],
    [19, 'NOT_ENOUGH_REPLICAS', 'retry'],
    [20, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'retry'],
    [29, 'TOPIC_AUTHORIZATION_FAILED', 'kafka-authorization'],
    [31, 'CLUSTER_AUTHORIZATION_FAILED', 'kafka-authorization'],
    [32, 'INVALID_TIMESTAMP', 'bad-config'],
    [45, 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'fenced'],
    [47, 'INVALID_PRODUCER_EPOCH', 'fenced'],
    [48, 'INVALID_TXN_STATE', 'fenced'],
    [49, 'INVALID_PRODUCER_ID_MAPPING', 'fenced'],
    [50, 'INVALID_TRANSACTION_TIMEOUT', 'bad-config'],
    [51, 'CONCURRENT_TRANSACTIONS', 'retry'],
    [53, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'kafka-authorization'],
    [56, 'KAFKA_STORAGE_ERROR', 'retry'],
    [59, 'UNKNOWN_PRODUCER_ID', 'fenced'],
    [74, 'FENCED_LEADER_EPOCH', 'retry'],
    [75, 'UNKNOWN_LEADER_EPOCH', 'retry'],
    [78, 'OFFSET_NOT_AVAILABLE', 'retry'],
    [90, 'PRODUCER_FENCED', 'fenced'],
    [120, 'TRANSACTION_ABORTABLE', 'fenced'],
    // the reader's business, and the producer's: not a reaction
    [OFFSET_OUT_OF_RANGE, 'error 1', 'unexpected'],
    [DUPLICATE_SEQUENCE_NUMBER, 'error 46', 'unexpected'],
    [999, 'error 999', 'unexpected'],
  ])('%i is %s: %s', (code, name, reaction) => {
    const error = new BrokerError('Fetch', code);
    expect(error.message).toBe(`Fetch answered ${name}`);
    expect(reactionTo(error)).toBe(reaction);
    expect(toCdrError('reading', error)).toMatchObject({
      code: reaction === 'retry' ? 'kafka-unavailable' : reaction,
      message: `reading: Fetch answered ${name}`,
      cause: error,
    });
  });

  it('has the name that kafkajs knows it by, but for those that Kafka renamed since', () => {
    const renamed = new Set([-1, 6, 14, 15, 16]);
    for (const { code, type } of errorCodes)
      if (!renamed.has(code) && !brokerErrorName(code).startsWith('error ')) expect(brokerErrorName(code)).toBe(type);
    const code = (name: string) => errorCodes.find(({ type }) => type === name)?.code;
    expect(CONCURRENT_TRANSACTIONS).toBe(code('CONCURRENT_TRANSACTIONS'));
    expect(DUPLICATE_SEQUENCE_NUMBER).toBe(code('DUPLICATE_SEQUENCE_NUMBER'));
    expect(OFFSET_OUT_OF_RANGE).toBe(code('OFFSET_OUT_OF_RANGE'));
    expect(NONE).toBe(0);
  });

  it.each([
    [10, 'max.message.bytes'],
    [29, 'docs/operations.md lists the ACLs'],
    [31, 'docs/operations.md lists the ACLs'],
    [50, 'TRANSACTION_TIMEOUT_MS'],
    [53, 'docs/operations.md lists the ACLs'],
  ])('%i, which somebody must do something about, says what', (code, hint) => {
    expect(toCdrError('x', new BrokerError('Produce', code)).hint).toContain(hint);
  });
});

describe("kafkajs's own errors", () => {
  it.each([
    'KafkaJSConnectionError',
    'KafkaJSConnectionClosedError',
    'KafkaJSRequestTimeoutError',
    'KafkaJSBrokerNotFound',
    'KafkaJSLockTimeout',
    'KafkaJSTimeout',
    'KafkaJSMetadataNotLoaded',
    'KafkaJSTopicMetadataNotLoaded',
    'KafkaJSGroupCoordinatorNotFound',
    'KafkaJSNoBrokerAvailableError',
  ])('%s is asked again', (name) => {
    const Thrown = kafkajs[name];
    if (!Thrown) throw new Error(`kafkajs has no ${name}`);
    const error = new Thrown('gone', {});
    expect(error.name).toBe(name);
    expect(isNetworkError(error)).toBe(true);
    expect(reactionTo(error)).toBe('retry');
    expect(toCdrError('asking', error)).toMatchObject({
      code: 'kafka-unavailable',
      message: `asking: ${error.message}`,
    });
    expect(toCdrError('asking', error).hint).toContain('KAFKA_BROKERS');
  });

  it('of a broker that is asked before it is connected has no code, and is asked again, too', async () => {
    const Broker = createRequire(import.meta.url)('kafkajs/src/broker') as new (options: object) => {
      metadata: (topics: string[]) => Promise<unknown>;
    };
    const error: unknown = await new Broker({ connectionPool: {}, logger: { namespace: () => ({}) } })
      .metadata([])
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Error);
    expect(reactionTo(error as Error)).toBe('retry');
  });

  it.each([
    ['KafkaJSSASLAuthenticationError', {}, 'kafka-auth'],
    ['KafkaJSProtocolError', { type: 'LEADER_NOT_AVAILABLE', code: 5 }, 'retry'],
    ['KafkaJSProtocolError', { type: 'TOPIC_AUTHORIZATION_FAILED', code: 29 }, 'kafka-authorization'],
    ['KafkaJSProtocolError', { type: 'INVALID_REQUEST', code: 42 }, 'unexpected'],
    ['KafkaJSNumberOfRetriesExceeded', {}, 'unexpected'],
    ['TypeError', {}, 'unexpected'],
  ])('%s %j: %s', (name, more, reaction) => {
    expect(reactionTo(named(name, more))).toBe(reaction);
  });

  it('hint at the login when it was refused', () => {
    const error = toCdrError('connecting', named('KafkaJSSASLAuthenticationError'));
    expect(error.hint).toContain('KAFKA_SASL_PASSWORD');
  });
});

describe('an error of the system', () => {
  it.each([
    ['ECONNREFUSED', 'retry'],
    ['ENOTFOUND', 'retry'],
    ['EPIPE', 'retry'],
    ['ERR_SOCKET_CLOSED', 'retry'],
    ['ERR_STREAM_DESTROYED', 'retry'],
    ['ERR_OUT_OF_RANGE', 'unexpected'],
  ])('%s: %s', (code, reaction) => {
    expect(reactionTo(named('Error', { code }))).toBe(reaction);
  });
});

describe('a connection that TLS does not let come about', () => {
  it.each([
    ['SELF_SIGNED_CERT_IN_CHAIN', 'KAFKA_TLS_CA_FILE'],
    ['CERT_HAS_EXPIRED', 'KAFKA_TLS_CA_FILE'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'KAFKA_TLS_CERT_FILE'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'the ports in KAFKA_BROKERS'],
  ])('%s is not tried for long, and says what to look at', (code, hint) => {
    const error = toCdrError('connecting', named('KafkaJSConnectionError', { code }));
    expect(error.code).toBe('kafka-auth');
    expect(error.hint).toContain(hint);
  });

  it('may be one that is only closed: a broker says nothing to whom it does not know', () => {
    const { code, hint } = toCdrError('connecting', named('KafkaJSConnectionClosedError'));
    expect(code).toBe('kafka-unavailable');
    expect(hint).toMatch(/KAFKA_TLS.*KAFKA_SASL/);
  });
});

describe('a missing ACL', () => {
  it('is named with what it is for', () => {
    const error = toCdrError('x', new BrokerError('Produce to cdr-data/0', 29, 'Write on topic cdr-data'));
    expect(error.message).toBe(
      'x: Produce to cdr-data/0 answered TOPIC_AUTHORIZATION_FAILED: the Kafka user lacks Write on topic cdr-data',
    );
    expect(new BrokerError('Produce', 6, 'Write on topic cdr-data').message).toBe(
      'Produce answered NOT_LEADER_OR_FOLLOWER',
    );
  });

  it('is named where the library asked, and other errors stay what they are', () => {
    const refused = named('KafkaJSProtocolError', { code: 29 });
    expect(toRefusal('topic cdr-data', 'Describe on topic cdr-data', refused)).toMatchObject({
      code: 'kafka-authorization',
      message: 'topic cdr-data: the Kafka user lacks Describe on topic cdr-data',
      hint: expect.stringContaining('docs/operations.md') as string,
    });
    expect(toRefusal('x', 'y', named('KafkaJSConnectionError')).code).toBe('kafka-unavailable');
  });

  it('is found where the partition is that was refused, not at one that was not tried', () => {
    const answer = new WireWriter()
      .int32(0)
      .array(['a', 'b'], (writer, topic) =>
        writer.string(topic).array([topic === 'a' ? 55 : 29], (inner, code) => inner.int32(0).int16(code)),
      )
      .finish();
    const call = addPartitionsToTxn('cdr-id', { producerId: 1n, epoch: 0 }, [{ topic: 'a', partition: 0 }]);
    expect(() => call.read(answer)).toThrow('AddPartitionsToTxn for b/0 answered TOPIC_AUTHORIZATION_FAILED');
    expect(() => call.read(answer)).toThrow('lacks Write on topic b');
  });
});

describe('what was really thrown', () => {
  it('is found below what kafkajs wraps around it', () => {
    const root = named('KafkaJSProtocolError', { code: 29 });
    const wrapped = named('KafkaJSNonRetriableError', {
      cause: named('KafkaJSNumberOfRetriesExceeded', { cause: root }),
    });
    expect(innermost(wrapped)).toBe(root);
  });

  it('is not looked for below other errors', () => {
    const error = new Error('outer', { cause: new Error('inner') });
    expect(innermost(error)).toBe(error);
  });

  it('may be a wrapper without a cause, a circle, or no error at all', () => {
    const lonely = named('KafkaJSNonRetriableError');
    expect(innermost(lonely)).toBe(lonely);
    const circle = named('KafkaJSNonRetriableError');
    circle.cause = circle;
    expect(innermost(circle)).toBe(circle);
    expect(innermost('gone').message).toBe('gone');
  });
});

it('leaves a CdrError as it is', () => {
  const error = new CdrError('fenced', 'x');
  expect(toCdrError('y', error)).toBe(error);
  expect(reactionTo(error)).toBe('fenced');
});
