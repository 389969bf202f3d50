import type { ChangedFilesPolicy } from '@cdr/core/decide';
import { builtInFeeds, type Feed } from '@cdr/core/feeds';
import { readSettings, SettingsError, type Env } from '@cdr/core/settings';
import { KAFKA_ENV, kafkaFrom, kafkaProblems, TOPIC_ENV, topicsFrom } from '@cdr/kafka/kafka-env';
import type { KafkaSettings } from '@cdr/kafka/kafka-settings';
import type { TopicSettings } from '@cdr/kafka/topics';
import { REDIS_ENV, redisFrom } from '@cdr/queue/redis-env';
import type { RedisSettings } from '@cdr/queue/redis-settings';
import { SFTP_ENV, sftpFrom } from '@cdr/sftp/sftp-env';
import type { SftpSettings } from '@cdr/sftp/sftp-settings';

const NAMES = [
  ...SFTP_ENV,
  ...REDIS_ENV,
  ...KAFKA_ENV,
  ...TOPIC_ENV,
  'SCAN_INTERVAL_MS',
  'STABLE_FOR_MS',
  'CHANGED_FILES',
  'METRICS_PORT',
  'LOG_LEVEL',
] as const;

export interface ScannerConfig {
  readonly sftp: SftpSettings;
  readonly redis: RedisSettings;
  readonly kafka: KafkaSettings;
  readonly topics: TopicSettings;
  readonly feeds: readonly Feed[];
  readonly scanIntervalMs: number;
  readonly stableForMs: number;
  readonly changedFiles: ChangedFilesPolicy;
  readonly metricsPort: number;
  readonly logLevel: string;
}

/**
 * From an environment to the scanner's configuration; `readFile` reads keys and certificates. Throws SettingsError with
 * everything that is wrong.
 */
export function scannerConfig(env: Env, readFile: (path: string) => string): ScannerConfig {
  const settings = readSettings(env, NAMES, kafkaProblems);
  const read = (path: string): string => {
    try {
      return readFile(path);
    } catch {
      throw new SettingsError([`a file that the settings name cannot be read: ${path}`]);
    }
  };
  return Object.freeze({
    sftp: sftpFrom(settings, read),
    redis: redisFrom(settings, read),
    kafka: kafkaFrom(settings, 'cdr-scanner', read),
    topics: topicsFrom(settings),
    feeds: builtInFeeds({ dataTopic: settings.CDR_DATA_TOPIC, voiceTopic: settings.CDR_VOICE_TOPIC }),
    scanIntervalMs: settings.SCAN_INTERVAL_MS,
    stableForMs: settings.STABLE_FOR_MS,
    changedFiles: settings.CHANGED_FILES,
    metricsPort: settings.METRICS_PORT,
    logLevel: settings.LOG_LEVEL,
  });
}
