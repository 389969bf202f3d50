import { builtInFeeds, type Feed } from '@cdr/core/feeds';
import { readSettings, SettingsError, type Env } from '@cdr/core/settings';
import { KAFKA_ENV, kafkaFrom, kafkaProblems, TOPIC_ENV, topicsFrom } from '@cdr/kafka/kafka-env';
import type { KafkaSettings } from '@cdr/kafka/kafka-settings';
import type { TopicSettings } from '@cdr/kafka/topics';
import type { WriterSettings } from '@cdr/kafka/batching-writer';
import { REDIS_ENV, redisFrom } from '@cdr/queue/redis-env';
import type { RedisSettings } from '@cdr/queue/redis-settings';
import { SFTP_ENV, sftpFrom } from '@cdr/sftp/sftp-env';
import type { SftpSettings } from '@cdr/sftp/sftp-settings';
import { afterIngestProblem, parseAfterIngest } from './after-ingest.ts';
import type { AttemptSettings } from './ingest-file.ts';

const NAMES = [
  ...SFTP_ENV,
  ...REDIS_ENV,
  ...KAFKA_ENV,
  ...TOPIC_ENV,
  'COMPRESSION',
  'TRANSACTION_MAX_RECORDS',
  'TRANSACTION_TIMEOUT_MS',
  'STABLE_FOR_MS',
  'INCOMPLETE_AFTER_MS',
  'GZIP_MAX_RATIO',
  'WORKER_CONCURRENCY',
  'JOB_LOCK_MS',
  'SHUTDOWN_GRACE_MS',
  'MAX_REJECT_RATIO',
  'FIELD_CHECKS',
  'MAX_LINE_BYTES',
  'AFTER_INGEST',
  'METRICS_PORT',
  'LOG_LEVEL',
] as const;

export interface WorkerConfig {
  readonly sftp: SftpSettings;
  readonly redis: RedisSettings;
  readonly kafka: KafkaSettings;
  readonly topics: TopicSettings;
  readonly writer: WriterSettings;
  readonly feeds: readonly Feed[];
  readonly attempt: AttemptSettings;
  readonly slots: number;
  readonly lockMs: number;
  readonly shutdownGraceMs: number;
  readonly metricsPort: number;
  readonly logLevel: string;
}

/**
 * From an environment to the worker's configuration. `workerName` tells workers apart in the ledger and the log; `readFile`
 * reads keys and certificates. Throws SettingsError with everything that is wrong.
 */
export function workerConfig(env: Env, workerName: string, readFile: (path: string) => string): WorkerConfig {
  const settings = readSettings(env, NAMES, (read) => [
    ...kafkaProblems(read),
    ...afterIngestProblem(read.AFTER_INGEST, read.SFTP_REMOTE_PATH),
  ]);
  const read = (path: string): string => {
    try {
      return readFile(path);
    } catch {
      throw new SettingsError([`a file that the settings name cannot be read: ${path}`]);
    }
  };
  const topics = topicsFrom(settings);
  return Object.freeze({
    sftp: sftpFrom(settings, read),
    redis: redisFrom(settings, read),
    kafka: kafkaFrom(settings, `cdr-worker-${workerName}`, read),
    topics,
    writer: {
      ledgerTopic: topics.ledgerTopic,
      compression: settings.COMPRESSION,
      transactionTimeoutMs: settings.TRANSACTION_TIMEOUT_MS,
    },
    feeds: builtInFeeds({ dataTopic: settings.CDR_DATA_TOPIC, voiceTopic: settings.CDR_VOICE_TOPIC }),
    attempt: {
      remotePath: settings.SFTP_REMOTE_PATH,
      rejectsTopic: topics.rejectsTopic,
      worker: workerName,
      fieldChecks: settings.FIELD_CHECKS,
      maxLineBytes: settings.MAX_LINE_BYTES,
      maxRejectRatio: settings.MAX_REJECT_RATIO,
      transactionMaxRecords: settings.TRANSACTION_MAX_RECORDS,
      transactionTimeoutMs: settings.TRANSACTION_TIMEOUT_MS,
      stableForMs: settings.STABLE_FOR_MS,
      incompleteAfterMs: settings.INCOMPLETE_AFTER_MS,
      gzipMaxRatio: settings.GZIP_MAX_RATIO,
      afterIngest: parseAfterIngest(settings.AFTER_INGEST),
    },
    slots: settings.WORKER_CONCURRENCY,
    lockMs: settings.JOB_LOCK_MS,
    shutdownGraceMs: settings.SHUTDOWN_GRACE_MS,
    metricsPort: settings.METRICS_PORT,
    logLevel: settings.LOG_LEVEL,
  });
}
