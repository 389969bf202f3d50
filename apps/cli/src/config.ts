import type { ChangedFilesPolicy } from '@cdr/core/decide';
import { builtInFeeds, type Feed } from '@cdr/core/feeds';
import { readSettings, SettingsError, type Env } from '@cdr/core/settings';
import type { WriterSettings } from '@cdr/kafka/batching-writer';
import { KAFKA_ENV, kafkaFrom, kafkaProblems, TOPIC_ENV, topicsFrom } from '@cdr/kafka/kafka-env';
import type { KafkaSettings } from '@cdr/kafka/kafka-settings';
import type { TopicSettings } from '@cdr/kafka/topics';
import { REDIS_ENV, redisFrom } from '@cdr/queue/redis-env';
import type { RedisSettings } from '@cdr/queue/redis-settings';
import { SFTP_ENV, sftpFrom } from '@cdr/sftp/sftp-env';
import type { SftpSettings } from '@cdr/sftp/sftp-settings';

export interface FilesConfig {
  readonly sftp: SftpSettings;
  readonly stableForMs: number;
  readonly changedFiles: ChangedFilesPolicy;
  readonly maxLineBytes: number;
}

export interface RedisConfig {
  readonly redis: RedisSettings;
}

export interface KafkaConfig {
  readonly kafka: KafkaSettings;
  readonly topics: TopicSettings;
  readonly feeds: readonly Feed[];
  readonly writer: WriterSettings;
}

/** Everything that commands need. */
export type CliConfig = FilesConfig & RedisConfig & KafkaConfig;

/** The parts of the configuration, each read when it is asked for. Each throws SettingsError. */
export interface ConfigParts {
  readonly files: () => FilesConfig;
  readonly redis: () => RedisConfig;
  readonly kafka: () => KafkaConfig;
}

/** A person waits: a server that is not there is said to be away sooner than a worker would. */
const READY_TIMEOUT_MS = 10_000;

/** One part at a time, so that `check` can look at one dependency while another's settings are wrong. */
export function configParts(env: Env, readFile: (path: string) => string): ConfigParts {
  const read = (path: string): string => {
    try {
      return readFile(path);
    } catch {
      throw new SettingsError([`a file that the settings name cannot be read: ${path}`]);
    }
  };
  return {
    files: () => {
      const settings = readSettings(env, [...SFTP_ENV, 'STABLE_FOR_MS', 'CHANGED_FILES', 'MAX_LINE_BYTES']);
      return {
        sftp: { ...sftpFrom(settings, read), readyTimeoutMs: READY_TIMEOUT_MS },
        stableForMs: settings.STABLE_FOR_MS,
        changedFiles: settings.CHANGED_FILES,
        maxLineBytes: settings.MAX_LINE_BYTES,
      };
    },
    redis: () => ({ redis: redisFrom(readSettings(env, REDIS_ENV), read) }),
    kafka: () => {
      const names = [...KAFKA_ENV, ...TOPIC_ENV, 'COMPRESSION', 'TRANSACTION_TIMEOUT_MS'] as const;
      const settings = readSettings(env, names, kafkaProblems);
      const topics = topicsFrom(settings);
      return {
        kafka: kafkaFrom(settings, 'cdr-cli', read),
        topics,
        feeds: builtInFeeds({ dataTopic: settings.CDR_DATA_TOPIC, voiceTopic: settings.CDR_VOICE_TOPIC }),
        writer: {
          ledgerTopic: topics.ledgerTopic,
          compression: settings.COMPRESSION,
          transactionTimeoutMs: settings.TRANSACTION_TIMEOUT_MS,
        },
      };
    },
  };
}

/** All parts. Throws SettingsError with everything that is wrong in any of them. */
export function wholeConfig(parts: ConfigParts): CliConfig {
  const problems: string[] = [];
  const take = <Part>(part: () => Part): Partial<Part> => {
    try {
      return part();
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      problems.push(...error.problems);
      return {};
    }
  };
  const config = { ...take(parts.files), ...take(parts.redis), ...take(parts.kafka) };
  if (problems.length > 0) throw new SettingsError(problems);
  return Object.freeze(config) as CliConfig;
}
