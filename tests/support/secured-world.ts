import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { readSettings } from '@cdr/core/settings';
import { transactionalIdOf } from '@cdr/core/transactional-id';
import { KAFKA_ENV, kafkaFrom } from '@cdr/kafka/kafka-env';
import { lackingRights } from '@cdr/kafka/kafka-rights';
import type { KafkaSettings } from '@cdr/kafka/kafka-settings';
import { inspectTopics, type TopicSettings } from '@cdr/kafka/topics';
import { afterAll, beforeAll, expect } from 'vitest';
import type { AppProcess } from './app-process.ts';
import { Authority, type Certificate } from './certificates.ts';
import { runCli, type CliResult } from './cli.ts';
import { documentedKafkaRights, documentedRedisRules, type KafkaRole } from './documented-rights.ts';
import { SecuredKafka, type KafkaRight } from './secured-kafka.ts';
import { SecuredRedis } from './secured-redis.ts';
import { sharedParts, TestWorld } from './test-world.ts';

/** One user for each column of the table in docs/operations.md. */
const ROLES = { worker: 'Worker', scanner: 'Scanner', cli: '`cdr`' } as const satisfies Record<string, KafkaRole>;
export type User = keyof typeof ROLES;

export const newPassword = (): string => `secret${randomBytes(12).toString('hex')}`;
export const PASSWORDS: Record<User | 'redis' | 'passphrase', string> = {
  worker: newPassword(),
  scanner: newPassword(),
  cli: newPassword(),
  redis: newPassword(),
  passphrase: newPassword(),
};

/** A broker and a Redis that let nobody in without a login, and who vouches for them. */
export interface SecuredServices {
  readonly dir: string;
  readonly kafka: SecuredKafka;
  readonly redis: SecuredRedis;
  readonly authority: Authority;
  readonly stranger: Authority;
  readonly workerCertificate: Certificate;
  readonly strangersCertificate: Certificate;
}

/** Call it at the top of a test file: starts them for its tests, and ends them behind those. */
export function useSecuredServices(): () => SecuredServices {
  let services: SecuredServices | undefined;
  beforeAll(async () => {
    const { dir } = sharedParts().instance;
    const authority = await Authority.make(path.join(dir, 'secured-ca'));
    const stranger = await Authority.make(path.join(dir, 'secured-stranger'));
    const users = Object.keys(ROLES).map((name) => ({ name, password: PASSWORDS[name as User] }));
    const [kafka, redis] = await Promise.all([
      SecuredKafka.start(path.join(dir, 'secured-kafka'), authority, users),
      SecuredRedis.start(path.join(dir, 'secured-redis'), authority),
    ]);
    const [workerCertificate, strangersCertificate] = [authority.issue('worker'), stranger.issue('worker')];
    services = { dir, kafka, redis, authority, stranger, workerCertificate, strangersCertificate };
  });
  afterAll(() => Promise.all([services?.kafka.stop(), services?.redis.stop()]));
  return () => {
    if (!services) throw new Error('The secured services are there within tests only.');
    return services;
  };
}

/** What a process with these settings says must hold none of the passwords. */
export function expectNoSecretIn(text: string): void {
  for (const [whose, password] of Object.entries(PASSWORDS))
    expect(text.includes(password), `the password of ${whose} in:\n${text}`).toBe(false);
}

export function outputOf(app: AppProcess): string {
  return [...app.lines.map((line) => JSON.stringify(line)), ...app.other].join('\n');
}

/** A test's own topics, keys and directory on the secured services, with the rights that the documentation lists. */
export class SecuredWorld {
  readonly world: TestWorld;
  readonly topics: TopicSettings;
  readonly #services: SecuredServices;

  constructor(services: SecuredServices) {
    const { kafka, redis } = services;
    this.#services = services;
    const parts = sharedParts();
    const env = { ...parts.env, KAFKA_BROKERS: kafka.adminBrokers, TOPIC_REPLICATION: '1', REDIS_URL: redis.adminUrl };
    this.world = new TestWorld({ instance: parts.instance, env, ...(parts.sshd ? { sshd: parts.sshd } : {}) });
    const { data, voice, rejects, ledger } = this.world.topics;
    this.topics = {
      recordTopics: [data, voice],
      rejectsTopic: rejects,
      ledgerTopic: ledger,
      partitions: 2,
      replication: 1,
    };
  }

  static async open(services: SecuredServices): Promise<SecuredWorld> {
    const { kafka, redis } = services;
    const secured = new SecuredWorld(services);
    const { data, voice, rejects, ledger } = secured.world.topics;
    await kafka.createTopics([
      ...[data, voice, rejects].map((topic) => ({ topic, compact: false })),
      { topic: ledger, compact: true },
    ]);
    await secured.grantAll();
    await redis.admin.call('ACL', 'SETUSER', ...secured.redisUser());
    return secured;
  }

  /** For ACL SETUSER: name and rules. */
  redisUser(): string[] {
    return [this.world.id, ...documentedRedisRules(PASSWORDS.redis, this.world.redisPrefix)];
  }

  rightsOf(user: User): KafkaRight[] {
    const { data, voice, rejects, ledger } = this.world.topics;
    return documentedKafkaRights(ROLES[user], {
      CDR_DATA_TOPIC: data,
      CDR_VOICE_TOPIC: voice,
      CDR_REJECTS_TOPIC: rejects,
      CDR_LEDGER_TOPIC: ledger,
    });
  }

  async grantAll(): Promise<void> {
    for (const user of Object.keys(ROLES) as User[]) await this.#services.kafka.grant(user, this.rightsOf(user));
  }

  /** The environment of an app that logs in as a user, everywhere in the strictest way. */
  env(user: User, mechanism: string): Record<string, string> {
    return { ...this.world.env, ...this.kafkaEnv(user, mechanism), ...this.redisEnv() };
  }

  kafkaEnv(user: User, mechanism: string): Record<string, string> {
    return {
      KAFKA_BROKERS: this.#services.kafka.saslBrokers,
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA_FILE: this.#services.authority.caFile,
      KAFKA_SASL_MECHANISM: mechanism,
      KAFKA_SASL_USERNAME: user,
      KAFKA_SASL_PASSWORD: PASSWORDS[user],
    };
  }

  /** As the worker's user by certificate and without a password. */
  certificateEnv(): Record<string, string> {
    return {
      KAFKA_BROKERS: this.#services.kafka.certificateBrokers,
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA_FILE: this.#services.authority.caFile,
      KAFKA_TLS_CERT_FILE: this.#services.workerCertificate.certFile,
      KAFKA_TLS_KEY_FILE: this.#services.workerCertificate.keyFile,
      KAFKA_SASL_MECHANISM: '',
      KAFKA_SASL_USERNAME: '',
      KAFKA_SASL_PASSWORD: '',
    };
  }

  redisEnv(): Record<string, string> {
    return {
      REDIS_URL: this.#services.redis.url(this.world.id, PASSWORDS.redis),
      REDIS_TLS_CA_FILE: this.#services.authority.caFile,
    };
  }

  /** In this process, as a user. */
  settings(user: User): KafkaSettings {
    const settings = readSettings(this.kafkaEnv(user, 'scram-sha-256'), KAFKA_ENV);
    return kafkaFrom(settings, 'cdr-test', (file) => readFileSync(file, 'utf8'));
  }

  /** `cdr check` in the environment given; expects no password in what it says. */
  async cli(args: readonly string[], env: Record<string, string>): Promise<CliResult> {
    const result = await runCli(args, env);
    expectNoSecretIn(result.stdout + result.stderr);
    return result;
  }

  /** Every right that a user lacks, as `cdr check` finds them. */
  async lacking(user: User): Promise<string[]> {
    const settings = this.settings(user);
    const id = transactionalIdOf(this.topics.ledgerTopic, `/test/${randomBytes(4).toString('hex')}`);
    const findings = await inspectTopics(settings, this.topics);
    const { needed, toRead } = await lackingRights(settings, this.topics, id);
    const errors = [...findings.flatMap(({ found }) => (found instanceof Error ? [found] : [])), ...needed];
    for (const error of [...errors, ...toRead]) expect(error).toMatchObject({ code: 'kafka-authorization' });
    return errors.map(({ message }) => message);
  }
}
