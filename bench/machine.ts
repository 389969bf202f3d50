import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import path from 'node:path';

/** What a result was measured on: figures of two machines, or of a busy and a quiet one, are not comparable. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  readonly broker: string;
}

const KAFKA_POM = path.resolve(import.meta.dirname, '../dev/services/kafka/pom.xml');

/** `ownBroker`: the broker is the one of the development services, not one named by KAFKA_BROKERS. */
export function describeMachine(ownBroker: boolean): Machine {
  const processors = cpus();
  const version = /<kafka\.version>([^<]+)</.exec(readFileSync(KAFKA_POM, 'utf8'))?.[1];
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    broker: ownBroker
      ? `Apache Kafka ${version ?? 'of dev/services'}, one broker, JVM fully optimized`
      : 'given by KAFKA_BROKERS',
  };
}

/** How many processes wanted to run over the last minute: with more than cores, wall times say little. */
export function currentLoad(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}
