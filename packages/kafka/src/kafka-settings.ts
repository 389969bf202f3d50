import type { SASLOptions } from 'kafkajs';
import type { ConnectionOptions } from 'node:tls';

/** How to reach the cluster. Secrets live here and nowhere else; never log it whole. */
export interface KafkaSettings {
  /** host:port */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls?: ConnectionOptions;
  readonly sasl?: SASLOptions;
  readonly connectionTimeoutMs?: number;
  /** How long one request waits for its answer. */
  readonly requestTimeoutMs?: number;
}
