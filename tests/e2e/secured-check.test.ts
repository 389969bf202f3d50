import { describe, expect, onTestFinished, test } from 'vitest';
import { inParallel } from '../../apps/cli/src/in-parallel.ts';
import { PASSWORDS, SecuredWorld, useSecuredServices } from '../support/secured-world.ts';

const services = useSecuredServices();

describe('cdr check says what is wrong, and exits with 1', () => {
  type Change = (secured: SecuredWorld) => Record<string, string>;
  const cases: [string, Change, RegExp, RegExp, RegExp?][] = [
    [
      'passwords that are wrong',
      ({ world }) => ({
        SFTP_PASSWORD: 'wrong',
        KAFKA_SASL_PASSWORD: 'wrong',
        REDIS_URL: services().redis.url(world.id, 'wrong'),
      }),
      /^FAILED +kafka: .*SASL SCRAM SHA256 authentication failed.*Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME/m,
      /^FAILED +redis: .*WRONGPASS.*Check the user and password in REDIS_URL/m,
      /^FAILED +sftp: .*refuses the login of .*Check SFTP_USER and SFTP_PASSWORD/m,
    ],
    [
      'another certificate authority',
      () => ({ KAFKA_TLS_CA_FILE: services().stranger.caFile, REDIS_TLS_CA_FILE: services().stranger.caFile }),
      /^FAILED +kafka: .*certificate.*KAFKA_TLS_CA_FILE must be the authority that signed it/m,
      /^FAILED +redis: .*certificate.*REDIS_TLS_CA_FILE must be the authority that signed it/m,
    ],
    [
      'no client certificate where one is wanted',
      (secured) => ({ ...secured.certificateEnv(), KAFKA_TLS_CERT_FILE: '', KAFKA_TLS_KEY_FILE: '' }),
      /^FAILED +kafka: .*KAFKA_TLS_CERT_FILE/m,
      /^ok +redis: /m,
    ],
    [
      "a client certificate of somebody else's authority",
      (secured) => ({
        ...secured.certificateEnv(),
        KAFKA_TLS_CERT_FILE: services().strangersCertificate.certFile,
        KAFKA_TLS_KEY_FILE: services().strangersCertificate.keyFile,
      }),
      /^FAILED +kafka: .*KAFKA_TLS_CERT_FILE/m,
      /^ok +redis: /m,
    ],
    [
      'TLS where there is none',
      ({ world }) => ({
        KAFKA_BROKERS: services().kafka.adminBrokers,
        REDIS_URL: services().redis.adminUrl.replace('redis://', `rediss://${world.id}:${PASSWORDS.redis}@`),
      }),
      /^FAILED +kafka: .*speaks no TLS/m,
      /^FAILED +redis: .*with TLS it is rediss:\/\/, without redis:/m,
    ],
    [
      'no TLS where there is',
      ({ world }) => ({
        KAFKA_TLS: 'false',
        KAFKA_TLS_CA_FILE: '',
        REDIS_URL: services().redis.url(world.id, PASSWORDS.redis).replace('rediss:', 'redis:'),
        REDIS_TLS_CA_FILE: '',
      }),
      /^FAILED +kafka: .*wants TLS \(KAFKA_TLS\)/m,
      /^FAILED +redis: .*with TLS it is rediss:/m,
    ],
  ];

  test('wrong passwords, a strange authority, no client certificate or a strange one, TLS against plain and plain against TLS', async () => {
    const secured = await SecuredWorld.open(services());
    // several at a time, since a broker that closes the connection is asked again for seconds
    await inParallel(cases, 3, async ([name, change, kafkaLine, redisLine, sftpLine = /^ok +sftp: /m]) => {
      const env = { ...secured.env('worker', 'scram-sha-256'), ...change(secured) };
      const { code, stdout } = await secured.cli(['check'], env);
      expect(stdout, name).toMatch(kafkaLine);
      expect(stdout, name).toMatch(redisLine);
      expect(stdout, name).toMatch(sftpLine);
      expect(code, name).toBe(1);
    });
  });

  test('rights that are missing in Redis and in Kafka', async () => {
    const secured = await SecuredWorld.open(services());
    await services().redis.admin.call('ACL', 'SETUSER', secured.world.id, '-time');
    const { data, ledger } = secured.world.topics;
    await services().kafka.grant('worker', [{ operation: 'Describe', on: 'topic', name: data }]);
    await services().kafka.revoke('worker', [
      { operation: 'Write', on: 'topic', name: data },
      { operation: 'Read', on: 'topic', name: ledger },
    ]);
    const { code, stdout } = await secured.cli(['check'], secured.env('worker', 'scram-sha-512'));
    expect(stdout).toMatch(/^FAILED +redis: .*NOPERM.*'time' command.*ACL LOG/m);
    expect(stdout).toMatch(new RegExp(`^FAILED +rights: .*Write on topic ${data}`, 'm'));
    expect(stdout).toMatch(new RegExp(`^FAILED +rights: .*Read on topic ${ledger}`, 'm'));
    expect(code).toBe(1);
    await services().redis.admin.call('ACL', 'LOG', 'RESET');
  });

  test('a Redis that wants a client certificate, and one with a password for everybody', async () => {
    const secured = await SecuredWorld.open(services());
    onTestFinished(async () => {
      await services().redis.admin.config('SET', 'tls-auth-clients', 'no');
      await services().redis.admin.config('SET', 'requirepass', '');
    });
    await services().redis.admin.config('SET', 'tls-auth-clients', 'yes');
    await services().redis.admin.config('SET', 'requirepass', PASSWORDS.redis);
    const env = { ...secured.env('cli', 'plain'), REDIS_URL: services().redis.url('', PASSWORDS.redis) };
    const refused = await secured.cli(['check'], env);
    expect(refused.stdout).toMatch(/^FAILED +redis: .*REDIS_TLS_CERT_FILE/m);
    const { certFile, keyFile } = services().workerCertificate;
    const certificate = { REDIS_TLS_CERT_FILE: certFile, REDIS_TLS_KEY_FILE: keyFile };
    const { stdout } = await secured.cli(['check'], { ...env, ...certificate });
    expect(stdout).toMatch(/^all well$/m);
    const withoutPassword = await secured.cli(['check'], {
      ...env,
      ...certificate,
      REDIS_URL: services().redis.url('', ''),
    });
    expect(withoutPassword.stdout).toMatch(/^FAILED +redis: .*NOAUTH.*Check the user and password in REDIS_URL/m);
  });
});
