import { describe, expect, it } from 'vitest';
import { readSettings, SETTINGS, SettingsError, withSecretFiles, type Env, type SettingName } from './settings.ts';

const ALL = Object.keys(SETTINGS) as SettingName[];
const HOST_KEY = `SHA256:${'a'.repeat(43)}`;
const REQUIRED = { SFTP_HOST_KEY: HOST_KEY };

function problemsOf(env: Env, names: readonly SettingName[] = ALL): readonly string[] {
  try {
    readSettings({ ...REQUIRED, ...env }, names);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

describe('the defaults', () => {
  it('are those that operators know', () => {
    expect(readSettings(REQUIRED, ALL)).toMatchObject({
      SFTP_HOST: 'sftp',
      SFTP_PORT: 22,
      SFTP_USER: 'cdr_data',
      SFTP_PASSWORD: 'password',
      SFTP_REMOTE_PATH: '/upload',
      KAFKA_BROKERS: ['redpanda-0:9092', 'redpanda-1:9092', 'redpanda-2:9092'],
      KAFKA_TLS: false,
      CDR_DATA_TOPIC: 'cdr-data',
      CDR_VOICE_TOPIC: 'cdr-voice',
      CDR_REJECTS_TOPIC: 'cdr-rejects',
      CDR_LEDGER_TOPIC: 'cdr-ledger',
      REDIS_URL: 'redis://redis:6379',
      REDIS_PREFIX: 'cdr',
      TOPIC_PARTITIONS: 3,
      TOPIC_REPLICATION: 3,
      SCAN_INTERVAL_MS: 5_000,
      STABLE_FOR_MS: 10_000,
      INCOMPLETE_AFTER_MS: 600_000,
      WORKER_CONCURRENCY: 4,
      JOB_LOCK_MS: 60_000,
      MAX_REJECT_RATIO: 0.5,
      FIELD_CHECKS: 'strict',
      MAX_LINE_BYTES: 1_048_576,
      TRANSACTION_MAX_RECORDS: 500_000,
      TRANSACTION_TIMEOUT_MS: 300_000,
      COMPRESSION: 'none',
      AFTER_INGEST: 'keep',
      CHANGED_FILES: 'alert',
      DASHBOARD_PORT: 3_000,
      METRICS_PORT: 9_464,
      LOG_LEVEL: 'info',
    });
  });

  it('leave out the private key, the login and the certificates', () => {
    const settings = readSettings(REQUIRED, ALL);
    for (const name of ['SFTP_PRIVATE_KEY_FILE', 'KAFKA_SASL_USERNAME', 'KAFKA_TLS_CA_FILE'] as const)
      expect(settings[name]).toBeUndefined();
  });

  it('are right themselves, each of them', () => {
    expect(problemsOf({})).toEqual([]);
  });

  it('there is none for how to know the SFTP server: the operator has to say', () => {
    expect(() => readSettings({}, ['SFTP_HOST_KEY'])).toThrow('SFTP_HOST_KEY is missing');
    expect(readSettings({ SFTP_HOST_KEY: 'any' }, ['SFTP_HOST_KEY'])).toEqual({ SFTP_HOST_KEY: 'any' });
  });
});

describe('what is read', () => {
  it('is what was asked for and nothing else', () => {
    const env = { SFTP_HOST: 'files.example.org', SFTP_PORT: 'nonsense', HOME: '/' };
    expect(readSettings(env, ['SFTP_HOST', 'KAFKA_SASL_USERNAME'])).toEqual({
      SFTP_HOST: 'files.example.org',
      KAFKA_SASL_USERNAME: undefined,
    });
  });

  it('takes an empty value for an absent one', () => {
    const empty = Object.fromEntries(ALL.map((name) => [name, '']));
    expect(readSettings({ ...empty, ...REQUIRED }, ALL)).toEqual(readSettings(REQUIRED, ALL));
    expect(() => readSettings({ SFTP_HOST_KEY: '' }, ['SFTP_HOST_KEY'])).toThrow('SFTP_HOST_KEY is missing');
  });

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(readSettings(REQUIRED, ALL))).toBe(true);
  });
});

describe('a value', () => {
  it.each<[SettingName, string, unknown]>([
    ['SFTP_PORT', '65535', 65_535],
    ['METRICS_PORT', '0', 0],
    ['STABLE_FOR_MS', '0', 0],
    ['KAFKA_TLS', 'true', true],
    ['KAFKA_BROKERS', ' a:1 , [::1]:9092,10.0.0.1:65535', ['a:1', '[::1]:9092', '10.0.0.1:65535']],
    ['SFTP_HOST_KEY', `${HOST_KEY}, ${HOST_KEY}`, `${HOST_KEY}, ${HOST_KEY}`],
    ['REDIS_URL', 'rediss://user:hush@redis:6380/2', 'rediss://user:hush@redis:6380/2'],
    ['MAX_REJECT_RATIO', '0', 0],
    ['MAX_REJECT_RATIO', '0.25', 0.25],
    ['MAX_REJECT_RATIO', '1.0', 1],
    ['AFTER_INGEST', 'delete', 'delete'],
    ['AFTER_INGEST', 'move:/archive', 'move:/archive'],
    ['WORKER_CONCURRENCY', '64', 64],
    ['TRANSACTION_TIMEOUT_MS', '10000', 10_000],
  ])('%s=%s is taken', (name, text, value) => {
    expect(readSettings({ [name]: text }, [name])).toEqual({ [name]: value });
  });

  it.each<[SettingName, string]>([
    ['SFTP_PORT', '0'],
    ['SFTP_PORT', '65536'],
    ['SFTP_PORT', '22.5'],
    ['SFTP_PORT', ' 22'],
    ['SFTP_PORT', '0x16'],
    ['SFTP_PORT', '-22'],
    ['METRICS_PORT', '70000'],
    ['SCAN_INTERVAL_MS', '0'],
    ['SCAN_INTERVAL_MS', '5s'],
    ['SCAN_INTERVAL_MS', '99999999999999999999'],
    ['SFTP_REMOTE_PATH', 'upload'],
    ['SFTP_HOST_KEY', 'ANY'],
    ['SFTP_HOST_KEY', 'MD5:00:11'],
    ['SFTP_HOST_KEY', HOST_KEY.slice(0, -1)],
    ['SFTP_HOST_KEY', `${HOST_KEY},`],
    ['SFTP_HOST_KEY', `any,${HOST_KEY}`],
    ['KAFKA_BROKERS', 'redpanda'],
    ['KAFKA_BROKERS', 'a:1,'],
    ['KAFKA_BROKERS', 'a:1,b'],
    ['KAFKA_BROKERS', 'a b:1'],
    ['KAFKA_TLS', 'yes'],
    ['KAFKA_SASL_MECHANISM', 'PLAIN'],
    ['CDR_DATA_TOPIC', 'cdr data'],
    ['CDR_DATA_TOPIC', 'x'.repeat(250)],
    ['REDIS_PREFIX', 'a:b'],
    ['REDIS_URL', 'redis:6379'],
    ['COMPRESSION', 'snappy'],
    ['CHANGED_FILES', 'ignore'],
    ['WORKER_CONCURRENCY', '65'],
    ['JOB_LOCK_MS', '999'],
    ['TRANSACTION_TIMEOUT_MS', '9999'],
    ['MAX_LINE_BYTES', '63'],
    ['MAX_REJECT_RATIO', '1.1'],
    ['MAX_REJECT_RATIO', '-0.5'],
    ['MAX_REJECT_RATIO', '50%'],
    ['MAX_REJECT_RATIO', '.5'],
    ['AFTER_INGEST', 'move:'],
    ['AFTER_INGEST', 'move:archive'],
    ['AFTER_INGEST', 'delete '],
    ['LOG_LEVEL', 'verbose'],
  ])('%s=%s is refused by name', (name, text) => {
    const problems = problemsOf({ [name]: text });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name} `));
  });
});

describe('the error', () => {
  it('names everything that is wrong at once, with what it is', () => {
    const env = { SFTP_PORT: 'x', LOG_LEVEL: 'loud', KAFKA_BROKERS: 'nobody', SFTP_HOST_KEY: '' };
    const problems = problemsOf(env);
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'SFTP_PORT',
      'SFTP_HOST_KEY',
      'KAFKA_BROKERS',
      'LOG_LEVEL',
    ]);
    expect(problems.join()).toContain('(is "loud")');
    expect(new SettingsError(problems).message.split('\n')).toHaveLength(5);
  });

  it('tells what only shows in combination, once each value is right', () => {
    const extra = () => ['A and B go together', 'C needs D'];
    expect(() => readSettings(REQUIRED, ALL, extra)).toThrow(/A and B go together\n {2}C needs D/);
    expect(() => readSettings({ ...REQUIRED, SFTP_PORT: 'x' }, ALL, extra)).not.toThrow(/go together/);
  });

  it('prints no secret, whatever is wrong with it', () => {
    const secrets = ALL.filter((name) => 'secret' in SETTINGS[name]);
    expect(secrets).toEqual(expect.arrayContaining(['SFTP_PASSWORD', 'REDIS_URL', 'KAFKA_SASL_PASSWORD']));
    let refused = 0;
    for (const name of secrets)
      for (const text of ['hush', ' hush', 'hush\n', 'hush:hush', 'http://user:hush@redis', 'hush'.repeat(1_000)]) {
        const problems = problemsOf({ [name]: text });
        refused += problems.length;
        expect(problems.join()).not.toContain('hush');
      }
    expect(refused).toBeGreaterThan(0);
  });

  it('does not fill the screen with a value', () => {
    expect(problemsOf({ SFTP_PORT: '9'.repeat(10_000) }).join().length).toBeLessThan(250);
  });
});

describe('secrets from files', () => {
  const readFile = (path: string): string => {
    if (path.includes('missing')) throw new Error('ENOENT');
    return path.includes('empty') ? '\n' : `<${path}>\n`;
  };

  it.each(['SFTP_PASSWORD', 'SFTP_PRIVATE_KEY_PASSPHRASE', 'REDIS_URL', 'KAFKA_SASL_PASSWORD', 'SFTP_HOST_KEY'])(
    '%s may come from one',
    (name) => {
      expect(withSecretFiles({ [`${name}_FILE`]: '/run/secret' }, readFile)[name]).toBe('</run/secret>');
      expect(withSecretFiles({ [`${name}_FILE`]: '/run/secret', [name]: '' }, readFile)[name]).toBe('</run/secret>');
    },
  );

  it('lose the end of their line and nothing else', () => {
    const contents = ['a', 'a\n', 'a\r\n', ' a \n', 'a\n\n', 'a\nb\n'];
    const read = (content: string) => withSecretFiles({ SFTP_PASSWORD_FILE: 'x' }, () => content)['SFTP_PASSWORD'];
    expect(contents.map(read)).toEqual(['a', 'a', 'a', ' a ', 'a\n', 'a\nb']);
  });

  it('do not touch what is no secret: those files are read by who uses them', () => {
    const env = {
      SFTP_PRIVATE_KEY_FILE: 'missing',
      KAFKA_TLS_KEY_FILE: 'missing',
      SFTP_USER_FILE: 'missing',
      X_FILE: 'x',
    };
    expect(withSecretFiles(env, readFile)).toEqual(env);
    expect(withSecretFiles({ SFTP_PASSWORD_FILE: '' }, readFile)).toEqual({ SFTP_PASSWORD_FILE: '' });
  });

  it('are given once, can be read, and say something; all that is wrong is told at once', () => {
    const env = {
      SFTP_PASSWORD: 'hush',
      SFTP_PASSWORD_FILE: '/run/a',
      REDIS_URL_FILE: '/run/missing',
      KAFKA_SASL_PASSWORD_FILE: '/run/empty',
    };
    let thrown: unknown;
    try {
      withSecretFiles(env, readFile);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      name: 'SettingsError',
      problems: [
        'SFTP_PASSWORD and SFTP_PASSWORD_FILE are both set: keep one',
        'REDIS_URL_FILE names a file that cannot be read: /run/missing',
        'KAFKA_SASL_PASSWORD_FILE names an empty file: /run/empty',
      ],
    });
    expect(String(thrown)).not.toContain('hush');
  });

  it('leave the environment as it was', () => {
    const env = Object.freeze({ SFTP_PASSWORD_FILE: '/run/a' });
    expect(withSecretFiles(env, readFile)).not.toBe(env);
  });
});

it('explains every setting in one line', () => {
  for (const name of ALL) expect(SETTINGS[name].about, name).toMatch(/^[^\n]{2,200}$/);
});
