import { z } from 'zod';

/** One environment variable: how it is read, what it is when absent, and what it is for. */
export interface Setting {
  readonly schema: z.ZodType;
  /** As text, so that the documentation shows what an operator would write. Undefined: optional, or required. */
  readonly default?: string;
  readonly required?: true;
  /** A required one need not be there when this one is. */
  readonly unless?: string;
  /** Never printed; may also come from the file named in NAME_FILE. */
  readonly secret?: true;
  /** No secret, but may come from the file named in NAME_FILE too. */
  readonly fromFile?: true;
  readonly about: string;
}

const text = z.string().min(1);
const count = z
  .string()
  .regex(/^\d+$/, 'must be a whole number')
  .transform(Number)
  .refine((value) => Number.isSafeInteger(value), 'is too large');
const positive = count.refine((value) => value > 0, 'must be above 0');
const port = positive.refine((value) => value <= 65_535, 'must be a port, 1 to 65535');
const anyPort = count.refine((value) => value <= 65_535, 'must be a port, 0 to 65535');
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const topicName = z.string().regex(/^[a-zA-Z0-9._-]{1,249}$/, 'must be a topic name: letters, digits, . _ -');
const hostAndPort = /^(?:\[[0-9a-fA-F:]+\]|[^\s,:]+):\d{1,5}$/;
const brokerList = z
  .string()
  .transform((value) => value.split(',').map((part) => part.trim()))
  .refine((list) => list.length > 0 && list.every((part) => hostAndPort.test(part)), 'must be host:port,host:port,...');
const hostKey = z
  .string()
  .refine(
    (value) => value === 'any' || value.split(',').every((part) => /^SHA256:[A-Za-z0-9+/]{43}$/.test(part.trim())),
    'must be the fingerprint that "ssh-keygen -lf" prints (SHA256:...), several with commas, or "any" to check nothing',
  );
const afterIngest = z.string().regex(/^(?:keep|delete|move:\/.+)$/, 'must be keep, delete or move:/DIR');
const loginName = z.string().regex(/^[^\p{C}]{1,64}$/u, 'must be 1 to 64 printable characters');
const loginPassword = z.string().min(8, 'must have at least 8 characters');
const watchList = z
  .string()
  .transform((value) =>
    value.split(',').map((part) => {
      const [, name = '', url = ''] = /^\s*([A-Za-z0-9._-]+)=(https?:\/\/[^\s/?#@]+)\/?\s*$/.exec(part) ?? [];
      return { name, url };
    }),
  )
  .refine(
    (list) => list.every(({ url }) => URL.canParse(url)),
    'must be NAME=http://HOST:PORT,NAME=http://HOST:PORT,...',
  );
const redisUrl = z.string().regex(/^rediss?:\/\/\S+$/, 'must be redis://host:port or rediss://host:port');

/** Keeps each entry's own type while they are listed as one table. */
function setting<const Entry extends Setting>(entry: Entry): Entry {
  return entry;
}

/**
 * Every environment variable of every app, in the order of the documentation. The README's table and `.env.example` are
 * checked against it.
 */
export const SETTINGS = {
  SFTP_HOST: setting({ schema: text, default: 'sftp', about: 'SFTP server' }),
  SFTP_PORT: setting({ schema: port, default: '22', about: 'its port' }),
  SFTP_USER: setting({ schema: text, default: 'cdr_data', about: 'login' }),
  SFTP_PASSWORD: setting({
    schema: text,
    default: 'password',
    secret: true,
    about: 'password; not used when a private key is given',
  }),
  SFTP_PRIVATE_KEY_FILE: setting({ schema: text, about: 'file with the private key to log in with' }),
  SFTP_PRIVATE_KEY_PASSPHRASE: setting({ schema: text, secret: true, about: 'passphrase of that key' }),
  SFTP_HOST_KEY: setting({
    schema: hostKey,
    required: true,
    unless: 'SFTP_KNOWN_HOSTS_FILE',
    fromFile: true,
    about:
      "fingerprint of the server's host key (`ssh-keyscan HOST | ssh-keygen -lf -`), several with commas; `any` checks nothing",
  }),
  SFTP_KNOWN_HOSTS_FILE: setting({
    schema: text,
    about: "instead of SFTP_HOST_KEY: a `known_hosts` file of OpenSSH's with the server's keys; read at the start",
  }),
  SFTP_REMOTE_PATH: setting({
    schema: z.string().regex(/^\//, 'must be an absolute path'),
    default: '/upload',
    about: 'directory with the files; its subdirectories are not read',
  }),
  REDIS_URL: setting({ schema: redisUrl, default: 'redis://redis:6379', secret: true, about: 'queue and projection' }),
  REDIS_PREFIX: setting({
    schema: z.string().regex(/^[A-Za-z0-9._-]+$/, 'must be letters, digits, . _ -'),
    default: 'cdr',
    about: 'first part of every key; one a deployment',
  }),
  REDIS_TLS_CA_FILE: setting({
    schema: text,
    about: "certificate authority for `rediss://`, when it is not one of the system's",
  }),
  REDIS_TLS_CERT_FILE: setting({ schema: text, about: 'client certificate for `rediss://`' }),
  REDIS_TLS_KEY_FILE: setting({ schema: text, about: 'its key' }),
  KAFKA_BROKERS: setting({
    schema: brokerList,
    default: 'redpanda-0:9092,redpanda-1:9092,redpanda-2:9092',
    about: 'seed brokers',
  }),
  KAFKA_SASL_MECHANISM: setting({
    schema: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
    about: '`plain`, `scram-sha-256` or `scram-sha-512`',
  }),
  KAFKA_SASL_USERNAME: setting({ schema: text, about: 'Kafka user' }),
  KAFKA_SASL_PASSWORD: setting({ schema: text, secret: true, about: 'its password' }),
  KAFKA_TLS: setting({ schema: flag, default: 'false', about: '`true` connects with TLS' }),
  KAFKA_TLS_CA_FILE: setting({ schema: text, about: "certificate authority, when it is not one of the system's" }),
  KAFKA_TLS_CERT_FILE: setting({ schema: text, about: 'client certificate' }),
  KAFKA_TLS_KEY_FILE: setting({ schema: text, about: 'its key' }),
  CDR_DATA_TOPIC: setting({ schema: topicName, default: 'cdr-data', about: 'topic of data usage records' }),
  CDR_VOICE_TOPIC: setting({ schema: topicName, default: 'cdr-voice', about: 'topic of voice call records' }),
  CDR_REJECTS_TOPIC: setting({
    schema: topicName,
    default: 'cdr-rejects',
    about: 'topic of rows that are no messages',
  }),
  CDR_LEDGER_TOPIC: setting({
    schema: topicName,
    default: 'cdr-ledger',
    about: 'topic of what was ingested: one partition, compacted',
  }),
  TOPIC_PARTITIONS: setting({ schema: positive, default: '3', about: 'of a topic that is created' }),
  TOPIC_REPLICATION: setting({ schema: positive, default: '3', about: 'of a topic that is created' }),
  COMPRESSION: setting({
    schema: z.enum(['none', 'gzip', 'lz4', 'zstd']),
    default: 'none',
    about: '`none`, `gzip`, `lz4` or `zstd`; every consumer must know it',
  }),
  TRANSACTION_MAX_RECORDS: setting({
    schema: positive,
    default: '500000',
    about: 'rows after which a large file continues in another transaction',
  }),
  TRANSACTION_TIMEOUT_MS: setting({
    schema: positive.refine((value) => value >= 10_000, 'must be at least 10000'),
    default: '300000',
    about: 'the brokers abort a transaction after this; half of it ends one',
  }),
  SCAN_INTERVAL_MS: setting({ schema: positive, default: '5000', about: 'pause between scans' }),
  STABLE_FOR_MS: setting({
    schema: count,
    default: '10000',
    about: 'a file is taken when size and mtime have not changed for so long',
  }),
  INCOMPLETE_AFTER_MS: setting({
    schema: count,
    default: '600000',
    about:
      'an empty file, or one whose last line has no end, is taken after so long; gzip data without an end fail then',
  }),
  GZIP_MAX_RATIO: setting({
    schema: positive,
    default: '100',
    about: 'a `.csv.gz` file that becomes more than so many times its size, and more than 64 MiB, is refused',
  }),
  CHANGED_FILES: setting({
    schema: z.enum(['alert', 'reingest']),
    default: 'alert',
    about: 'a file whose content changed after it was ingested: `alert` reports it, `reingest` takes it again',
  }),
  WORKER_CONCURRENCY: setting({
    schema: positive.refine((value) => value <= 64, 'must be 1 to 64'),
    default: '4',
    about: 'files at a time in one worker',
  }),
  JOB_LOCK_MS: setting({
    schema: positive.refine((value) => value >= 1_000, 'must be at least 1000'),
    default: '60000',
    about: "a dead worker's file is taken over after this, and up to two thirds of it more",
  }),
  SHUTDOWN_GRACE_MS: setting({
    schema: count,
    default: '20000',
    about: 'on SIGTERM, files that end within this are finished; the rest is handed back',
  }),
  MAX_REJECT_RATIO: setting({
    schema: z
      .string()
      .regex(/^(?:0(?:\.\d+)?|1(?:\.0+)?)$/, 'must be between 0 and 1')
      .transform(Number),
    default: '0.5',
    about: 'a file with a larger share of rejects is refused',
  }),
  FIELD_CHECKS: setting({
    schema: z.enum(['strict', 'off']),
    default: 'strict',
    about: '`strict`: a row with a number or a time that is none is a reject; `off` passes values on unseen',
  }),
  MAX_LINE_BYTES: setting({
    schema: positive.refine((value) => value >= 64, 'must be at least 64'),
    default: '1048576',
    about: 'a longer row is a reject',
  }),
  AFTER_INGEST: setting({
    schema: afterIngest,
    default: 'keep',
    about: '`keep`, `delete`, or `move:/DIR` (a directory outside SFTP_REMOTE_PATH)',
  }),
  DASHBOARD_PORT: setting({ schema: anyPort, default: '3000', about: 'of the dashboard' }),
  DASHBOARD_USER: setting({ schema: loginName, default: 'operator', about: 'who may look, retry and pause' }),
  DASHBOARD_PASSWORD: setting({
    schema: loginPassword,
    secret: true,
    about: 'password of that user; when it is not set, a random one is printed at each start',
  }),
  DASHBOARD_READONLY_USER: setting({ schema: loginName, about: 'a second user, who may only look' }),
  DASHBOARD_READONLY_PASSWORD: setting({ schema: loginPassword, secret: true, about: 'password of the second user' }),
  DASHBOARD_PROXIES: setting({
    schema: count.refine((value) => value <= 10, 'must be 0 to 10'),
    default: '0',
    about: 'reverse proxies in front of the dashboard, whose X-Forwarded-For and X-Forwarded-Proto are believed',
  }),
  DASHBOARD_WATCH: setting({
    schema: watchList,
    about: 'apps whose /readyz the dashboard shows: `scanner=http://scanner:9464,worker=http://worker:9464`',
  }),
  METRICS_PORT: setting({
    schema: anyPort,
    default: '9464',
    about: '/healthz, /readyz and /metrics; 0 takes a free one',
  }),
  LOG_LEVEL: setting({
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']),
    default: 'info',
    about: '`debug`, `info`, `warn` or `error`',
  }),
} as const;

export type SettingName = keyof typeof SETTINGS;
type EntryOf<Name extends SettingName> = (typeof SETTINGS)[Name];
/** What has neither a default nor to be there may be undefined. */
type ValueOf<Name extends SettingName> =
  EntryOf<Name> extends { default: string } | { required: true; unless?: never }
    ? z.output<EntryOf<Name>['schema']>
    : z.output<EntryOf<Name>['schema']> | undefined;
export type Settings<Name extends SettingName> = { readonly [Key in Name]: ValueOf<Key> };

/** Every variable that is wrong, at once. Prints no secret. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the settings are not right:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

/** Whether the setting may come from the file named in NAME_FILE. */
export function mayComeFromFile({ secret, fromFile }: Setting): boolean {
  return secret === true || fromFile === true;
}

/** An environment; an empty value counts as absent. */
export type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads the named settings from an environment. `extraProblems` looks at what was read for what only shows in
 * combination. Throws SettingsError with everything that is wrong.
 */
export function readSettings<Name extends SettingName>(
  env: Env,
  names: readonly Name[],
  extraProblems: (settings: Settings<Name>) => readonly string[] = () => [],
): Settings<Name> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const entry: Setting = SETTINGS[name];
    const given = env[name] === '' ? undefined : env[name];
    const raw = given ?? entry.default;
    if (raw === undefined) {
      if (entry.required && !(entry.unless && env[entry.unless]))
        problems.push(`${name} is missing: ${entry.about}${entry.unless ? `; or set ${entry.unless}` : ''}`);
      values[name] = undefined;
      continue;
    }
    const parsed = entry.schema.safeParse(raw);
    if (parsed.success) values[name] = parsed.data;
    else {
      const shown = entry.secret ? '' : ` (is "${raw.slice(0, 100)}")`;
      problems.push(`${name} ${parsed.error.issues[0]?.message ?? 'is not valid'}${shown}`);
    }
  }
  const settings = values as Settings<Name>;
  if (problems.length === 0) problems.push(...extraProblems(settings));
  if (problems.length > 0) throw new SettingsError(problems);
  return Object.freeze(settings);
}

/**
 * Takes secrets, and what else may come from a file, from the files named in NAME_FILE, for those that are not given
 * directly. `readFile` is handed in, since this package does no I/O. Throws SettingsError when a file cannot be read, or both ways are used.
 */
export function withSecretFiles(env: Env, readFile: (path: string) => string): Env {
  const resolved: Record<string, string | undefined> = { ...env };
  const problems: string[] = [];
  for (const [name, entry] of Object.entries<Setting>(SETTINGS)) {
    const path = env[`${name}_FILE`];
    if (!mayComeFromFile(entry) || !path) continue;
    if (env[name]) {
      problems.push(`${name} and ${name}_FILE are both set: keep one`);
      continue;
    }
    try {
      const content = readFile(path).replace(/\r?\n$/, '');
      // not taken for absent: the default would be used without anybody noticing
      if (content === '') problems.push(`${name}_FILE names an empty file: ${path}`);
      resolved[name] = content;
    } catch {
      problems.push(`${name}_FILE names a file that cannot be read: ${path}`);
    }
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return resolved;
}
