import { CdrError, type ErrorCode } from '@cdr/core/errors';
import { tlsTroubleOf, type TlsTrouble } from '@cdr/core/tls-trouble';

/**
 * An error code in a broker's answer. https://kafka.apache.org/protocol#protocol_error_codes
 * `right` is the one that the request needs ("Write on topic cdr-data"): brokers do not say which one was missing.
 */
export class BrokerError extends Error {
  readonly errorCode: number;

  constructor(request: string, errorCode: number, right?: string) {
    const missing = right !== undefined && KNOWN[errorCode]?.reaction === 'kafka-authorization';
    super(`${request} answered ${brokerErrorName(errorCode)}${missing ? `: the Kafka user lacks ${right}` : ''}`);
    this.name = 'BrokerError';
    this.errorCode = errorCode;
  }
}

export const NONE = 0;
export const OFFSET_OUT_OF_RANGE = 1;
export const CONCURRENT_TRANSACTIONS = 51;
/** Of a partition in an answer: not tried, since another partition of the request was refused. */
export const OPERATION_NOT_ATTEMPTED = 55;
export const DUPLICATE_SEQUENCE_NUMBER = 46;
export const TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53;
/** Not the protocol's: an answer without what was asked for, because of a quota. */
export const THROTTLED = -2;

/** What to do about an error code: ask again, stop because somebody else owns the id, or give up. */
type Reaction = 'retry' | 'fenced' | ErrorCode;

interface KnownError {
  readonly name: string;
  readonly reaction: Reaction;
  readonly hint?: string;
}

const GRANT_HINT =
  "Grant it to the Kafka user (KAFKA_SASL_USERNAME, or the client certificate's name); docs/operations.md lists the ACLs.";

const TLS_HINTS: Readonly<Record<TlsTrouble, string>> = {
  untrusted:
    "The broker's certificate is not trusted: KAFKA_TLS_CA_FILE must be the authority that signed it, and the names in KAFKA_BROKERS must be names in it.",
  refused: 'The broker refuses our certificate, or wants one: check KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE.',
  'no-tls': 'KAFKA_TLS is true, and what answers there speaks no TLS: check the ports in KAFKA_BROKERS.',
};

const KNOWN: Readonly<Record<number, KnownError>> = {
  [THROTTLED]: { name: 'nothing: throttled by a quota', reaction: 'retry' },
  [-1]: { name: 'UNKNOWN_SERVER_ERROR', reaction: 'retry' },
  2: { name: 'CORRUPT_MESSAGE', reaction: 'retry' },
  3: { name: 'UNKNOWN_TOPIC_OR_PARTITION', reaction: 'retry' },
  5: { name: 'LEADER_NOT_AVAILABLE', reaction: 'retry' },
  6: { name: 'NOT_LEADER_OR_FOLLOWER', reaction: 'retry' },
  7: { name: 'REQUEST_TIMED_OUT', reaction: 'retry' },
  8: { name: 'BROKER_NOT_AVAILABLE', reaction: 'retry' },
  9: { name: 'REPLICA_NOT_AVAILABLE', reaction: 'retry' },
  10: {
    name: 'MESSAGE_TOO_LARGE',
    reaction: 'kafka-topic',
    hint: "Raise the topic's max.message.bytes to 1 MiB or more.",
  },
  13: { name: 'NETWORK_EXCEPTION', reaction: 'retry' },
  14: { name: 'COORDINATOR_LOAD_IN_PROGRESS', reaction: 'retry' },
  15: { name: 'COORDINATOR_NOT_AVAILABLE', reaction: 'retry' },
  16: { name: 'NOT_COORDINATOR', reaction: 'retry' },
  19: { name: 'NOT_ENOUGH_REPLICAS', reaction: 'retry' },
  20: { name: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', reaction: 'retry' },
  29: { name: 'TOPIC_AUTHORIZATION_FAILED', reaction: 'kafka-authorization', hint: GRANT_HINT },
  31: { name: 'CLUSTER_AUTHORIZATION_FAILED', reaction: 'kafka-authorization', hint: GRANT_HINT },
  32: {
    name: 'INVALID_TIMESTAMP',
    reaction: 'bad-config',
    hint: "Set this machine's clock: brokers refuse messages from an hour ahead (message.timestamp.after.max.ms).",
  },
  33: { name: 'UNSUPPORTED_SASL_MECHANISM', reaction: 'kafka-auth' },
  34: { name: 'ILLEGAL_SASL_STATE', reaction: 'retry' },
  45: { name: 'OUT_OF_ORDER_SEQUENCE_NUMBER', reaction: 'fenced' },
  47: { name: 'INVALID_PRODUCER_EPOCH', reaction: 'fenced' },
  48: { name: 'INVALID_TXN_STATE', reaction: 'fenced' },
  49: { name: 'INVALID_PRODUCER_ID_MAPPING', reaction: 'fenced' },
  50: {
    name: 'INVALID_TRANSACTION_TIMEOUT',
    reaction: 'bad-config',
    hint: "Lower TRANSACTION_TIMEOUT_MS below the brokers' transaction.max.timeout.ms.",
  },
  51: { name: 'CONCURRENT_TRANSACTIONS', reaction: 'retry' },
  52: { name: 'TRANSACTION_COORDINATOR_FENCED', reaction: 'retry' },
  53: { name: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', reaction: 'kafka-authorization', hint: GRANT_HINT },
  56: { name: 'KAFKA_STORAGE_ERROR', reaction: 'retry' },
  58: { name: 'SASL_AUTHENTICATION_FAILED', reaction: 'kafka-auth' },
  59: { name: 'UNKNOWN_PRODUCER_ID', reaction: 'fenced' },
  74: { name: 'FENCED_LEADER_EPOCH', reaction: 'retry' },
  75: { name: 'UNKNOWN_LEADER_EPOCH', reaction: 'retry' },
  76: { name: 'UNSUPPORTED_COMPRESSION_TYPE', reaction: 'bad-config', hint: 'Choose another COMPRESSION.' },
  78: { name: 'OFFSET_NOT_AVAILABLE', reaction: 'retry' },
  90: { name: 'PRODUCER_FENCED', reaction: 'fenced' },
  120: { name: 'TRANSACTION_ABORTABLE', reaction: 'fenced' },
};

/** The protocol's name of an error code, or `error 123` for one that we do not know. */
export function brokerErrorName(errorCode: number): string {
  return KNOWN[errorCode]?.name ?? `error ${errorCode}`;
}

const NETWORK_ERRORS = new Set([
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
]);

/** kafkajs wraps what happened in errors about its retries; this is what happened. */
export function innermost(error: unknown): Error {
  let at = error instanceof Error ? error : new Error(String(error));
  const seen = new Set<Error>();
  while (
    (at.name === 'KafkaJSNumberOfRetriesExceeded' || at.name === 'KafkaJSNonRetriableError') &&
    at.cause instanceof Error &&
    !seen.has(at)
  ) {
    seen.add(at);
    at = at.cause;
  }
  return at;
}

/** kafkajs's plain Error, without a code, of a broker that is asked while its first connection is being made. */
const NOT_CONNECTED_YET = 'Broker not connected';

/** True when the request may not have arrived, or its answer was lost: asking again may help. */
export function isNetworkError(error: Error): boolean {
  if (NETWORK_ERRORS.has(error.name) || error.message === NOT_CONNECTED_YET) return true;
  const code = 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^(E[A-Z]+|ERR_SOCKET_CLOSED|ERR_STREAM_[A-Z_]+)$/.test(code);
}

/** What to do about an error of a call to a broker. */
export function reactionTo(error: Error): Reaction {
  if (error instanceof CdrError) return error.code;
  if (error instanceof BrokerError) return KNOWN[error.errorCode]?.reaction ?? 'unexpected';
  if (error.name === 'KafkaJSSASLAuthenticationError') return 'kafka-auth';
  // certificates do not get better by asking again
  if ('code' in error && tlsTroubleOf(error.code)) return 'kafka-auth';
  // kafkajs's own protocol errors carry the broker's code; they come from its metadata and connection calls
  if ('code' in error && typeof error.code === 'number') return KNOWN[error.code]?.reaction ?? 'unexpected';
  return isNetworkError(error) ? 'retry' : 'unexpected';
}

/** The error that the rest of the program sees: what was attempted, what the broker said, what to do. */
export function toCdrError(operation: string, error: Error): CdrError {
  if (error instanceof CdrError) return error;
  const reaction = reactionTo(error);
  const code: ErrorCode = reaction === 'retry' ? 'kafka-unavailable' : reaction;
  return new CdrError(code, `${operation}: ${error.message}`, { hint: hintFor(code, error), cause: error });
}

/** The same for what the library asks on our behalf: `right` is what an operation needs that was refused for a missing ACL. */
export function toRefusal(operation: string, right: string, error: Error): CdrError {
  if (reactionTo(error) !== 'kafka-authorization' || error instanceof CdrError) return toCdrError(operation, error);
  return new CdrError('kafka-authorization', `${operation}: the Kafka user lacks ${right}`, {
    hint: GRANT_HINT,
    cause: error,
  });
}

/** The right to see a topic: who has this alone lacks the one that it comes with. */
export function describing(topic: string): string {
  return `Describe on topic ${topic} (Write and Read include it)`;
}

function hintFor(code: ErrorCode, error: Error): string | undefined {
  if (error instanceof BrokerError) return KNOWN[error.errorCode]?.hint;
  const trouble = 'code' in error ? tlsTroubleOf(error.code) : undefined;
  if (trouble) return TLS_HINTS[trouble];
  if (code === 'kafka-auth') return 'Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD.';
  if (code === 'kafka-authorization') return GRANT_HINT;
  if (code !== 'kafka-unavailable') return undefined;
  const closed =
    error.name === 'KafkaJSConnectionClosedError' || ('code' in error && error.code === 'ECONNRESET')
      ? '; one that closes connections at once wants TLS (KAFKA_TLS), a client certificate (KAFKA_TLS_CERT_FILE) or a login (KAFKA_SASL_*), or speaks no TLS'
      : '';
  return `Check KAFKA_BROKERS and that the brokers are up${closed}.`;
}
