import { readSettings, type Env } from '@cdr/core/settings';
import { describe, expect, it } from 'vitest';
import { KAFKA_ENV, kafkaFrom, kafkaProblems, TOPIC_ENV, topicsFrom } from './kafka-env.ts';

const read = (env: Env = {}) => readSettings(env, [...KAFKA_ENV, ...TOPIC_ENV]);

const SASL = {
  KAFKA_SASL_MECHANISM: 'scram-sha-512',
  KAFKA_SASL_USERNAME: 'cdr',
  KAFKA_SASL_PASSWORD: 'hush',
};
const TLS = { KAFKA_TLS: 'true', KAFKA_TLS_CERT_FILE: 'c.pem', KAFKA_TLS_KEY_FILE: 'k.pem' };

describe('settings that do not go together', () => {
  it.each<[string, Env]>([
    ['the defaults', {}],
    ['a whole login', SASL],
    ['TLS alone', { KAFKA_TLS: 'true' }],
    ['TLS with a certificate authority', { KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: 'ca.pem' }],
    ['TLS with a client certificate', TLS],
    ['both feeds to one topic', { CDR_VOICE_TOPIC: 'cdr-data' }],
  ])('are not %s', (_, env) => {
    expect(kafkaProblems(read(env))).toEqual([]);
  });

  it.each<[Env, string]>([
    [{ KAFKA_SASL_MECHANISM: 'plain' }, 'KAFKA_SASL_MECHANISM, '],
    [{ ...SASL, KAFKA_SASL_MECHANISM: '' }, 'KAFKA_SASL_MECHANISM, '],
    [{ ...SASL, KAFKA_SASL_USERNAME: '' }, 'KAFKA_SASL_MECHANISM, '],
    [{ ...SASL, KAFKA_SASL_PASSWORD: '' }, 'KAFKA_SASL_MECHANISM, '],
    [{ KAFKA_TLS_CA_FILE: 'ca.pem' }, 'KAFKA_TLS is not true'],
    [{ ...TLS, KAFKA_TLS: 'false' }, 'KAFKA_TLS is not true'],
    [{ ...TLS, KAFKA_TLS_KEY_FILE: '' }, 'KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE'],
    [{ ...TLS, KAFKA_TLS_CERT_FILE: '' }, 'KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE'],
    [{ CDR_REJECTS_TOPIC: 'cdr-ledger' }, 'topics of their own'],
    [{ CDR_REJECTS_TOPIC: 'cdr-voice' }, 'topics of their own'],
    [{ CDR_LEDGER_TOPIC: 'cdr-data' }, 'topics of their own'],
  ])('%j', (env, problem) => {
    const problems = kafkaProblems(read(env));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
    expect(problems.join()).not.toContain('hush');
  });

  it('are all reported at once', () => {
    const env = { KAFKA_SASL_USERNAME: 'x', KAFKA_TLS_KEY_FILE: 'k', CDR_LEDGER_TOPIC: 'cdr-data' };
    expect(kafkaProblems(read(env))).toHaveLength(4);
  });
});

describe('how to reach the cluster', () => {
  const from = (env: Env) => kafkaFrom(read(env), 'worker-1', (path) => `<${path}>`);

  it('is without login and encryption by default', () => {
    expect(from({})).toEqual({
      brokers: ['redpanda-0:9092', 'redpanda-1:9092', 'redpanda-2:9092'],
      clientId: 'worker-1',
    });
  });

  it('has the login and the certificates, read', () => {
    expect(from({ ...SASL, ...TLS, KAFKA_TLS_CA_FILE: 'ca.pem' })).toMatchObject({
      tls: { ca: ['<ca.pem>'], cert: '<c.pem>', key: '<k.pem>' },
      sasl: { mechanism: 'scram-sha-512', username: 'cdr', password: 'hush' },
    });
    expect(from({ KAFKA_TLS: 'true' }).tls).toEqual({});
  });
});

it('names a topic once, when both feeds go there', () => {
  expect(topicsFrom(read({ CDR_VOICE_TOPIC: 'cdr-data', TOPIC_PARTITIONS: '12' }))).toEqual({
    recordTopics: ['cdr-data'],
    rejectsTopic: 'cdr-rejects',
    ledgerTopic: 'cdr-ledger',
    partitions: 12,
    replication: 3,
  });
});
