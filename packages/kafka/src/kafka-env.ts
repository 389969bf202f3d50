import type { Settings } from '@cdr/core/settings';
import type { KafkaSettings } from './kafka-settings.ts';
import type { TopicSettings } from './topics.ts';

/** The variables that say how to reach the cluster. */
export const KAFKA_ENV = [
  'KAFKA_BROKERS',
  'KAFKA_SASL_MECHANISM',
  'KAFKA_SASL_USERNAME',
  'KAFKA_SASL_PASSWORD',
  'KAFKA_TLS',
  'KAFKA_TLS_CA_FILE',
  'KAFKA_TLS_CERT_FILE',
  'KAFKA_TLS_KEY_FILE',
] as const;
type KafkaEnv = Settings<(typeof KAFKA_ENV)[number]>;

/** The variables that name the topics. */
export const TOPIC_ENV = [
  'CDR_DATA_TOPIC',
  'CDR_VOICE_TOPIC',
  'CDR_REJECTS_TOPIC',
  'CDR_LEDGER_TOPIC',
  'TOPIC_PARTITIONS',
  'TOPIC_REPLICATION',
] as const;
type TopicEnv = Settings<(typeof TOPIC_ENV)[number]>;

/** What only shows in combination. */
export function kafkaProblems(env: KafkaEnv & TopicEnv): string[] {
  const problems: string[] = [];
  const sasl = [env.KAFKA_SASL_MECHANISM, env.KAFKA_SASL_USERNAME, env.KAFKA_SASL_PASSWORD];
  if (sasl.some(Boolean) && !sasl.every(Boolean))
    problems.push('KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD go together: set all or none');
  if (!env.KAFKA_TLS && (env.KAFKA_TLS_CA_FILE || env.KAFKA_TLS_CERT_FILE || env.KAFKA_TLS_KEY_FILE))
    problems.push('KAFKA_TLS_*_FILE is set but KAFKA_TLS is not true');
  if (Boolean(env.KAFKA_TLS_CERT_FILE) !== Boolean(env.KAFKA_TLS_KEY_FILE))
    problems.push('KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE go together: set both or none');
  const records = [env.CDR_DATA_TOPIC, env.CDR_VOICE_TOPIC];
  if (
    env.CDR_REJECTS_TOPIC === env.CDR_LEDGER_TOPIC ||
    records.includes(env.CDR_REJECTS_TOPIC) ||
    records.includes(env.CDR_LEDGER_TOPIC)
  )
    problems.push('CDR_REJECTS_TOPIC and CDR_LEDGER_TOPIC must be topics of their own');
  return problems;
}

/** `readFile` reads certificates; what it throws is for the caller to report. */
export function kafkaFrom(env: KafkaEnv, clientId: string, readFile: (path: string) => string): KafkaSettings {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = env;
  const file = (path: string | undefined): string | undefined => (path ? readFile(path) : undefined);
  const ca = file(env.KAFKA_TLS_CA_FILE);
  const cert = file(env.KAFKA_TLS_CERT_FILE);
  const key = file(env.KAFKA_TLS_KEY_FILE);
  return {
    brokers: env.KAFKA_BROKERS,
    clientId,
    ...(env.KAFKA_TLS ? { tls: { ...(ca ? { ca: [ca] } : {}), ...(cert && key ? { cert, key } : {}) } } : {}),
    ...(mechanism && username && password ? { sasl: { mechanism, username, password } } : {}),
  };
}

export function topicsFrom(env: TopicEnv): TopicSettings {
  return {
    recordTopics: [...new Set([env.CDR_DATA_TOPIC, env.CDR_VOICE_TOPIC])],
    rejectsTopic: env.CDR_REJECTS_TOPIC,
    ledgerTopic: env.CDR_LEDGER_TOPIC,
    partitions: env.TOPIC_PARTITIONS,
    replication: env.TOPIC_REPLICATION,
  };
}
