import { CdrError } from '@cdr/core/errors';
import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs';
import { describing, innermost, reactionTo, toCdrError, toRefusal } from './kafka-errors.ts';
import type { KafkaSettings } from './kafka-settings.ts';

export interface TopicPlan {
  readonly topic: string;
  readonly partitions: number;
  readonly replication: number;
  readonly role: 'records' | 'rejects' | 'ledger';
}

export interface TopicSettings {
  readonly recordTopics: readonly string[];
  readonly rejectsTopic: string;
  readonly ledgerTopic: string;
  readonly partitions: number;
  readonly replication: number;
}

export interface TopicReport {
  readonly topic: string;
  readonly role: TopicPlan['role'];
  readonly created: boolean;
  readonly partitions: number;
  readonly replication: number;
  /** Settings that weaken a promise; empty when all is well. */
  readonly warnings: readonly string[];
}

/** The topics of a deployment, as they are created when missing. */
export function planTopics(settings: TopicSettings): TopicPlan[] {
  const { partitions, replication } = settings;
  return [
    ...settings.recordTopics.map((topic): TopicPlan => ({ topic, partitions, replication, role: 'records' })),
    { topic: settings.rejectsTopic, partitions, replication, role: 'rejects' },
    // one partition: the order of its records is what the protocol rests on
    { topic: settings.ledgerTopic, partitions: 1, replication, role: 'ledger' },
  ];
}

/**
 * Creates what is missing and reports on what is there. Existing topics are left alone; a ledger with several partitions
 * or one that deletes is refused. Throws CdrError: `kafka-topic`, `kafka-unavailable`, `kafka-auth`, ...
 */
export async function ensureTopics(kafka: KafkaSettings, settings: TopicSettings): Promise<TopicReport[]> {
  return withAdmin(kafka, async (admin) => {
    const plans = planTopics(settings);
    const existing = new Set(await admin.listTopics());
    const missing = plans.filter(({ topic }) => !existing.has(topic));
    if (missing.length > 0) {
      const { brokers } = await admin.describeCluster();
      if (brokers.length < settings.replication)
        throw new CdrError(
          'kafka-topic',
          `topics with ${settings.replication} replicas need as many brokers; the cluster has ${brokers.length}`,
          { hint: `Set TOPIC_REPLICATION=${brokers.length} or add brokers.` },
        );
      await createTopics(admin, missing);
    }
    return Promise.all(plans.map((plan) => inspect(admin, plan, !existing.has(plan.topic))));
  });
}

/** A topic's report, or why there is none: it is missing, or the ingester refuses to work with it. */
export type TopicFinding = TopicPlan & { readonly found: TopicReport | CdrError };

/** Looks at the topics one by one without creating any. Throws CdrError when the cluster cannot be asked. */
export async function inspectTopics(kafka: KafkaSettings, settings: TopicSettings): Promise<TopicFinding[]> {
  return withAdmin(kafka, async (admin) => {
    const existing = new Set(await admin.listTopics());
    return Promise.all(
      planTopics(settings).map(async (plan) => {
        if (!existing.has(plan.topic)) return { ...plan, found: await whyNotListed(admin, plan.topic) };
        try {
          return { ...plan, found: await inspect(admin, plan, false) };
        } catch (error) {
          return { ...plan, found: toCdrError(`topic ${plan.topic}`, innermost(error)) };
        }
      }),
    );
  });
}

/** Deletes topics for good, those that exist. For scratch topics; nothing here deletes a deployment's own. */
export async function deleteTopics(kafka: KafkaSettings, topics: readonly string[]): Promise<void> {
  await withAdmin(kafka, async (admin) => {
    const existing = new Set(await admin.listTopics());
    const there = topics.filter((topic) => existing.has(topic));
    if (there.length > 0) await admin.deleteTopics({ topics: there });
  });
}

/** How many brokers are up. Throws CdrError when none answers. */
export async function countBrokers(kafka: KafkaSettings): Promise<number> {
  return withAdmin(kafka, async (admin) => (await admin.describeCluster()).brokers.length);
}

/** Pure: what a topic's settings break or weaken. `refuse` is a reason not to work with it at all. */
export function judgeTopic(
  role: TopicPlan['role'],
  found: { partitions: number; replication: number; config: ReadonlyMap<string, string> },
): { refuse?: string; warnings: string[] } {
  const cleanup = found.config.get('cleanup.policy') ?? '';
  const minInsync = Number(found.config.get('min.insync.replicas') ?? 1);
  const warnings: string[] = [];
  if (role === 'ledger') {
    if (found.partitions !== 1)
      return { refuse: `has ${found.partitions} partitions; the ledger must have exactly 1`, warnings };
    if (cleanup !== 'compact')
      return {
        refuse: `has cleanup.policy=${cleanup}; the ledger must be compact only, or it forgets files`,
        warnings,
      };
  }
  if (found.replication === 1) warnings.push('one replica: the loss of one broker loses it');
  else if (minInsync < 2) warnings.push('min.insync.replicas=1: an acknowledged row can be lost with one broker');
  if (found.config.get('unclean.leader.election.enable') === 'true')
    warnings.push('unclean.leader.election.enable=true: acknowledged rows can be lost');
  return { warnings };
}

async function inspect(admin: Admin, { topic, role }: TopicPlan, created: boolean): Promise<TopicReport> {
  const [metadata, configs] = await Promise.all([
    asUser('Describe', topic, () => admin.fetchTopicMetadata({ topics: [topic] })),
    asUser('DescribeConfigs', topic, () =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
      }),
    ),
  ]);
  const found = metadata.topics[0]?.partitions ?? [];
  const partitions = found.length;
  const replication = Math.min(...found.map((partition) => partition.replicas.length));
  const config = new Map(
    (configs.resources[0]?.configEntries ?? []).map((entry) => [entry.configName, entry.configValue]),
  );
  const { refuse, warnings } = judgeTopic(role, { partitions, replication, config });
  if (refuse)
    throw new CdrError('kafka-topic', `topic ${topic} ${refuse}`, {
      hint: 'Name another topic in CDR_LEDGER_TOPIC, or correct this one before anything is ingested.',
    });
  return { topic, role, created, partitions, replication, warnings };
}

async function createTopics(admin: Admin, plans: readonly TopicPlan[]): Promise<void> {
  const topics = plans.map(({ topic, partitions, replication, role }): ITopicConfig => ({
    topic,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: [
      { name: 'unclean.leader.election.enable', value: 'false' },
      { name: 'min.insync.replicas', value: replication >= 3 ? '2' : '1' },
      { name: 'cleanup.policy', value: role === 'ledger' ? 'compact' : 'delete' },
    ],
  }));
  try {
    await admin.createTopics({ topics, waitForLeaders: true });
  } catch (error) {
    // somebody else created one meanwhile: what counts is what is there now
    const existing = new Set(await admin.listTopics());
    if (!plans.every(({ topic }) => existing.has(topic))) throw whyNotCreated(error);
  }
}

/** A topic that is not listed does not exist, or the user may not see it. Never creates it. */
async function whyNotListed(admin: Admin, topic: string): Promise<CdrError> {
  try {
    await asUser('Describe', topic, () => admin.fetchTopicMetadata({ topics: [topic] }));
  } catch (error) {
    if (error instanceof CdrError && error.code === 'kafka-authorization') return error;
  }
  return new CdrError('kafka-topic', `topic ${topic} does not exist`, { hint: 'Create it with: cdr topics' });
}

/** kafkajs gathers what became of several topics; the first that is a reason, with its topic. */
function whyNotCreated(error: unknown): CdrError {
  const inner = innermost(error);
  const each = 'errors' in inner && Array.isArray(inner.errors) ? (inner.errors as unknown[]) : [];
  for (const reason of each) {
    if (!(reason instanceof Error) || ('type' in reason && reason.type === 'TOPIC_ALREADY_EXISTS')) continue;
    const topic = 'topic' in reason ? String(reason.topic) : '?';
    const right = `${describing(topic)}, or Create, if it does not exist yet`;
    return toRefusal(`creating topic ${topic}`, right, reason);
  }
  return toCdrError('creating topics', inner);
}

/** What the library asks about one topic; a refusal says which right is missing. */
async function asUser<T>(operation: 'Describe' | 'DescribeConfigs', topic: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const inner = innermost(error);
    if (reactionTo(inner) !== 'kafka-authorization') throw error;
    const right = operation === 'Describe' ? describing(topic) : `${operation} on topic ${topic}`;
    throw toRefusal(`topic ${topic}`, right, inner);
  }
}

async function withAdmin<T>(settings: KafkaSettings, action: (admin: Admin) => Promise<T>): Promise<T> {
  const client = new kafkajs.Kafka({
    clientId: settings.clientId,
    brokers: [...settings.brokers],
    ...(settings.tls ? { ssl: settings.tls } : {}),
    ...(settings.sasl ? { sasl: settings.sasl } : {}),
    connectionTimeout: settings.connectionTimeoutMs ?? 3_000,
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 100, retries: 5, maxRetryTime: 2_000 },
  });
  const admin = client.admin();
  try {
    await admin.connect();
    return await action(admin);
  } catch (error) {
    throw toCdrError('topics', innermost(error));
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
