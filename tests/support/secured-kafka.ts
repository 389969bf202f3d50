import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import kafkajs, { type AclEntry, type Admin } from 'kafkajs';
import { freePort } from '../../dev/services/free-port.ts';
import { brokerProcess, configuration, runStorageTool } from '../../dev/services/kafka.ts';
import { fetchKafkaLibs } from '../../dev/services/kafka-libs.ts';
import type { OwnProcess } from '../../dev/services/own-process.ts';
import { kafkaAnswers } from '../../dev/services/ready-checks.ts';
import type { Authority } from './certificates.ts';
import { pollUntil } from './poll-until.ts';

const START_DEADLINE_MS = 120_000;
const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

/** A user of the broker, with one password for every mechanism. */
export interface KafkaUser {
  readonly name: string;
  readonly password: string;
}

/** A right as Kafka keeps it. */
export interface KafkaRight {
  readonly operation: 'Read' | 'Write' | 'Create' | 'Describe' | 'DescribeConfigs';
  readonly on: 'topic' | 'transactional id';
  readonly name: string;
  readonly prefixed?: boolean;
}

/**
 * A real broker that asks who we are and what we may: passwords over TLS at one port (PLAIN, SCRAM), client certificates at
 * another, each user with the rights that were given and no others. A third port lets in whoever comes, as administrator:
 * for the test itself and its judge.
 */
export class SecuredKafka {
  readonly adminBrokers: string;
  readonly saslBrokers: string;
  readonly certificateBrokers: string;
  readonly #process: OwnProcess;
  readonly #admin: Admin;

  private constructor(process: OwnProcess, ports: { admin: number; sasl: number; certificate: number }) {
    this.adminBrokers = `127.0.0.1:${ports.admin}`;
    this.saslBrokers = `127.0.0.1:${ports.sasl}`;
    this.certificateBrokers = `127.0.0.1:${ports.certificate}`;
    this.#process = process;
    this.#admin = new kafkajs.Kafka({ brokers: [this.adminBrokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  }

  /** @param dir a folder of its own in that of the instance, so that it is stopped with it whatever happens */
  static async start(dir: string, authority: Authority, users: readonly KafkaUser[]): Promise<SecuredKafka> {
    await fetchKafkaLibs(() => undefined);
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    const [admin, sasl, certificate, controller] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    const ports = { admin, sasl, certificate };
    const settings = path.join(dir, 'server.properties');
    const plain = configuration({
      dir,
      nodeId: 1,
      port: admin,
      controllerPort: controller,
      controllerPorts: [controller],
    });
    writeFileSync(settings, plain + securityOf({ dir, authority, users, ports, controller }), { mode: 0o600 });
    const passwords = users.flatMap(({ name, password }) =>
      SCRAM.flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${name},password=${password}]`]),
    );
    await runStorageTool(settings, passwords);
    const kafka = new SecuredKafka(brokerProcess(dir, 1, false), ports);
    kafka.#process.start();
    await kafka.#process.waitUntilReady(() => kafkaAnswers('127.0.0.1', admin), START_DEADLINE_MS);
    await kafka.#admin.connect();
    return kafka;
  }

  async stop(): Promise<void> {
    await this.#admin.disconnect();
    await this.#process.kill();
  }

  /** Creates topics as the ingester would. */
  async createTopics(topics: readonly { readonly topic: string; readonly compact: boolean }[]): Promise<void> {
    // kafkajs waits for leaders, but not for the broker to have heard of the topic
    await this.#admin.createTopics({
      waitForLeaders: false,
      topics: topics.map(({ topic, compact }) => ({
        topic,
        numPartitions: compact ? 1 : 2,
        replicationFactor: 1,
        configEntries: [{ name: 'cleanup.policy', value: compact ? 'compact' : 'delete' }],
      })),
    });
    const names = topics.map(({ topic }) => topic);
    await pollUntil('the topics to have leaders', async () => {
      const found = await this.#admin.fetchTopicMetadata({ topics: names }).catch(() => undefined);
      return found?.topics.every(({ partitions }) => partitions.length > 0 && partitions.every((p) => p.leader >= 0));
    });
  }

  async grant(user: string, rights: readonly KafkaRight[]): Promise<void> {
    await this.#admin.createAcls({ acl: rights.map((right) => entryOf(user, right)) });
  }

  async revoke(user: string, rights: readonly KafkaRight[]): Promise<void> {
    await this.#admin.deleteAcls({ filters: rights.map((right) => entryOf(user, right)) });
  }
}

const OPERATIONS = {
  Read: kafkajs.AclOperationTypes.READ,
  Write: kafkajs.AclOperationTypes.WRITE,
  Create: kafkajs.AclOperationTypes.CREATE,
  Describe: kafkajs.AclOperationTypes.DESCRIBE,
  DescribeConfigs: kafkajs.AclOperationTypes.DESCRIBE_CONFIGS,
} as const;

function entryOf(user: string, { operation, on, name, prefixed = false }: KafkaRight): AclEntry {
  const { AclResourceTypes, AclPermissionTypes, ResourcePatternTypes } = kafkajs;
  return {
    resourceType: on === 'topic' ? AclResourceTypes.TOPIC : AclResourceTypes.TRANSACTIONAL_ID,
    resourceName: name,
    resourcePatternType: prefixed ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation: OPERATIONS[operation],
    permissionType: AclPermissionTypes.ALLOW,
  };
}

interface Security {
  readonly dir: string;
  readonly authority: Authority;
  readonly users: readonly KafkaUser[];
  readonly ports: { readonly admin: number; readonly sasl: number; readonly certificate: number };
  readonly controller: number;
}

function securityOf({ dir, authority, users, ports, controller }: Security): string {
  const { certFile, keyFile } = authority.issue('broker');
  const keystore = path.join(dir, 'keystore.pem');
  writeFileSync(keystore, readFileSync(keyFile, 'utf8') + readFileSync(certFile, 'utf8'), { mode: 0o600 });
  const passwords = users.map(({ name, password }) => `user_${name}="${password}"`).join(' ');
  const plainModule = 'org.apache.kafka.common.security.plain.PlainLoginModule';
  const scramModule = 'org.apache.kafka.common.security.scram.ScramLoginModule';
  const settings: Record<string, string> = {
    listeners: `ADMIN://127.0.0.1:${ports.admin},PASSWORD://127.0.0.1:${ports.sasl},CERTIFICATE://127.0.0.1:${ports.certificate},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `ADMIN://127.0.0.1:${ports.admin},PASSWORD://127.0.0.1:${ports.sasl},CERTIFICATE://127.0.0.1:${ports.certificate}`,
    'listener.security.protocol.map': 'ADMIN:PLAINTEXT,PASSWORD:SASL_SSL,CERTIFICATE:SSL,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'ADMIN',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // whoever comes without a name: the broker itself, and the test
    'super.users': 'User:ANONYMOUS',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keystore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': authority.caFile,
    'listener.name.certificate.ssl.client.auth': 'required',
    'listener.name.certificate.ssl.principal.mapping.rules': 'RULE:^CN=(.*)$/$1/',
    'listener.name.password.sasl.enabled.mechanisms': ['PLAIN', ...SCRAM].join(','),
    // A login is good for so long, as on some clusters; the client repeats it on its connections 10 s before.
    'listener.name.password.scram-sha-512.connections.max.reauth.ms': '13000',
    'listener.name.password.plain.sasl.jaas.config': `${plainModule} required ${passwords};`,
  };
  for (const mechanism of SCRAM)
    settings[`listener.name.password.${mechanism.toLowerCase()}.sasl.jaas.config`] = `${scramModule} required;`;
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
