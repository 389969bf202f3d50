import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { mayComeFromFile, SETTINGS, withSecretFiles, type Setting } from '@cdr/core/settings';
import { describe, expect, test } from 'vitest';
import { dashboardConfig } from '../../apps/dashboard/src/config.ts';
import { scannerConfig } from '../../apps/scanner/src/config.ts';
import { workerConfig } from '../../apps/worker/src/config.ts';
import { readComposeFile, ROOT, variablesIn, withDefaults, type ComposeService } from './compose-file.ts';

const { scripts } = JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const FILES = ['docker-compose.yml', 'deploy/docker-compose.existing.yml'] as const;
const OURS = ['topics', 'scanner', 'worker', 'dashboard', 'cli', 'generator'];
const ONE_SHOT = ['sftp-host-key', 'topics', 'cli', 'generator'];
/** Variables of the Compose files themselves, which no app knows. */
const COMPOSE_ONLY = [
  'BIND_ADDRESS',
  'CDR_VERSION',
  'CDR_NETWORK',
  'GENERATE_FILES',
  'GENERATE_ROWS',
  'GRAFANA_PASSWORD',
];
const FINGERPRINT = 'SHA256:0123456789abcdefghijklmnopqrstuvwxyzABCDEFG';
/** A worker leaves by itself so long after its grace: see worker-process.ts. */
const LEAVE_WITHIN_MS = 5_000;

const settings: Readonly<Record<string, Setting>> = SETTINGS;
const dockerfile = readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8');

/** The environment that a service gets when nothing is set. */
function environmentOf(service: ComposeService): Record<string, string> {
  return Object.fromEntries(
    Object.entries(service.environment ?? {}).map(([name, value]) => [name, withDefaults(String(value))]),
  );
}

describe.each(FILES)('%s', (file) => {
  const compose = readComposeFile(file);
  const all = Object.entries(compose.services);
  const ours = all.filter(([name]) => OURS.includes(name));
  const longRunning = all.filter(([name]) => !ONE_SHOT.includes(name));

  test('is read by docker-compose 1.29 and by Compose v2: neither a name nor a version at the top', () => {
    expect(Object.keys(compose).filter((key) => key === 'name' || key === 'version')).toEqual([]);
  });

  test('sets only variables that the settings have, files that the settings allow included', () => {
    const unknown = ours.flatMap(([service, { environment = {} }]) =>
      Object.keys(environment)
        .filter((name) => !(name in settings))
        .filter((name) => {
          const setting = name.endsWith('_FILE') ? settings[name.slice(0, -'_FILE'.length)] : undefined;
          return !setting || !mayComeFromFile(setting);
        })
        .map((name) => `${service}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  test('takes only variables from the environment that the settings have, or that the file explains', () => {
    const known = [...Object.keys(settings), ...Object.keys(settings).map((name) => `${name}_FILE`), ...COMPOSE_ONLY];
    const text = readFileSync(path.join(ROOT, file), 'utf8');
    expect([...new Set(variablesIn(text))].filter((name) => !known.includes(name))).toEqual([]);
  });

  test.each(all.map(([name, { image = '' }]) => [name, withDefaults(image)]))(
    'the image of %s has a tag of its own: %s',
    (_, image) => {
      expect(image).toMatch(/^[a-z0-9./-]+:[A-Za-z0-9._-]+$/);
      expect(image).not.toMatch(/:latest$/);
    },
  );

  test.each(longRunning)(
    '%s has a health check, comes back after a crash, and its log does not fill the disk',
    (_, service) => {
      expect(service.healthcheck?.test[0]).toMatch(/^CMD(-SHELL)?$/);
      expect(service.restart).toBe('unless-stopped');
      expect(service.logging?.options).toEqual({ 'max-size': '10m', 'max-file': '5' });
    },
  );

  test.each(ours)('%s may do nothing that it does not need', (_, service) => {
    expect(service).toMatchObject({
      build: expect.stringMatching(/^\.{1,2}$/) as string,
      init: true,
      read_only: true,
      tmpfs: ['/tmp'],
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
  });

  test.each(ours)('%s runs a program that the image has, as the process that gets the signals', (_, service) => {
    const words = [...(service.entrypoint ?? []), ...(service.command ?? [])];
    const program = words.findIndex((word) => word.endsWith('.js'));
    const source = String(words[program]).replace(/^(apps\/[a-z]+)\/dist\/main\.js$/, '$1/src/main.ts');
    expect(source).toMatch(/\.ts$/);
    expect(existsSync(path.join(ROOT, source))).toBe(true);
    // with the flags that its script has for whoever runs it without containers
    const app = source.split('/')[1] === 'cli' ? 'cdr' : String(source.split('/')[1]);
    const script = scripts[app]?.split(' ') ?? [];
    const developing = ['--conditions=@cdr/source', '--import', './dev/require-node-24.mjs'];
    expect(words.slice(0, program)).toEqual(script.slice(0, -1).filter((flag) => !developing.includes(flag)));
  });

  test('a worker is given longer to stop than it takes by itself, and may be there many times', () => {
    const worker = compose.services.worker;
    const graceMs = Number(environmentOf(worker ?? {}).SHUTDOWN_GRACE_MS);
    expect(worker?.stop_grace_period).toMatch(/^\d+s$/);
    expect(parseInt(worker?.stop_grace_period ?? '', 10) * 1000).toBeGreaterThan(graceMs + LEAVE_WITHIN_MS);
    expect(worker?.container_name).toBeUndefined();
    expect(worker?.ports).toBeUndefined();
  });

  test('ports are bound to this machine unless somebody says otherwise', () => {
    for (const port of all.flatMap(([, { ports = [] }]) => ports)) expect(withDefaults(port)).toMatch(/^127\.0\.0\.1:/);
  });

  test('has no secrets but the documented default', () => {
    const secrets = all.flatMap(([service, definition]) =>
      Object.entries(environmentOf(definition))
        .filter(([name, value]) => (settings[name]?.secret || /PASSWORD|SECRET|TOKEN/.test(name)) && value !== '')
        .filter(
          ([name, value]) => value !== settings[name]?.default && !(name !== 'SFTP_PASSWORD' && value === 'password'),
        )
        .map(([name]) => `${service}: ${name}`),
    );
    expect(secrets).toEqual([]);
  });

  test('what it gives to the apps is accepted by them', () => {
    const required = file === 'docker-compose.yml' ? {} : { SFTP_HOST_KEY: FINGERPRINT };
    const env = (service: string): Record<string, string | undefined> =>
      withSecretFiles({ ...environmentOf(compose.services[service] ?? {}), ...required }, () => FINGERPRINT);
    const readFile = (): string => '';
    expect(scannerConfig(env('scanner'), readFile).sftp.hostKey).toEqual([FINGERPRINT]);
    expect(workerConfig(env('worker'), 'w', readFile).shutdownGraceMs).toBe(20_000);
    expect(dashboardConfig(env('dashboard'), readFile).watch.map(({ name }) => name)).toEqual(['scanner', 'worker']);
  });

  test('every volume that is used is declared, and every service that is waited for is there', () => {
    for (const [, { volumes = [], depends_on = {} }] of all) {
      for (const volume of volumes.filter((mount) => !mount.startsWith('.')))
        expect(Object.keys(compose.volumes ?? {})).toContain(volume.split(':')[0]);
      for (const [name, { condition }] of Object.entries(depends_on)) {
        const needed = compose.services[name];
        expect(needed).toBeDefined();
        if (condition === 'service_healthy') expect(needed?.healthcheck).toBeDefined();
        if (condition === 'service_completed_successfully') expect(ONE_SHOT).toContain(name);
      }
    }
  });
});

test('names and ports are those that operators of the program before this one know', () => {
  const { services } = readComposeFile('docker-compose.yml');
  const published = Object.fromEntries(
    Object.entries(services).map(([name, { ports = [] }]) => [name, ports.map((port) => withDefaults(port))]),
  );
  expect(published).toMatchObject({
    sftp: ['127.0.0.1:10022:22'],
    'redpanda-0': ['127.0.0.1:19092:19092'],
    'redpanda-1': ['127.0.0.1:29092:29092'],
    'redpanda-2': ['127.0.0.1:39092:39092'],
    console: ['127.0.0.1:18084:8080'],
    dashboard: ['127.0.0.1:3000:3000'],
  });
  for (const name of ['sftp', 'redpanda-0', 'redpanda-1', 'redpanda-2'])
    expect(services[name]?.container_name).toBe(name);
  const { SFTP_HOST, SFTP_PORT, SFTP_USER, SFTP_PASSWORD, SFTP_REMOTE_PATH, KAFKA_BROKERS, CDR_DATA_TOPIC } =
    environmentOf(services.worker ?? {});
  expect({ SFTP_HOST, SFTP_PORT, SFTP_USER, SFTP_PASSWORD, SFTP_REMOTE_PATH, KAFKA_BROKERS, CDR_DATA_TOPIC }).toEqual(
    Object.fromEntries(
      (
        [
          'SFTP_HOST',
          'SFTP_PORT',
          'SFTP_USER',
          'SFTP_PASSWORD',
          'SFTP_REMOTE_PATH',
          'KAFKA_BROKERS',
          'CDR_DATA_TOPIC',
        ] as const
      ).map((name) => [name, SETTINGS[name].default]),
    ),
  );
});

test('Redis keeps what it was told', () => {
  const command = readComposeFile('docker-compose.yml').services.redis?.command?.join(' ');
  expect(command).toMatch(/--appendonly yes/);
  expect(command).toMatch(/--maxmemory-policy noeviction/);
});

describe('Dockerfile', () => {
  test('has the Node that the project has, and no syntax line', () => {
    const { devDependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    expect(dockerfile).toContain(`ARG NODE_IMAGE=node:${devDependencies.node}-bookworm-slim\n`);
    expect(dockerfile).not.toMatch(/^# *syntax=|corepack/m);
  });

  test('copies the manifest of every part', () => {
    const copied = [...dockerfile.matchAll(/^COPY ((?:apps|packages)\/[a-z]+)\/package\.json \1\/$/gm)].map(
      ([, part]) => part,
    );
    const parts = globSync('{apps,packages}/*/package.json', { cwd: ROOT }).map((file) => path.dirname(file));
    expect(copied.sort()).toEqual(parts.sort());
  });

  test('runs as nobody special, in exec form', () => {
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile).toMatch(
      /^CMD \["node", "--disable-warning=TimeoutNegativeWarning", "--max-semi-space-size=4", "--heap-growing-percent=50", "apps\/worker\/dist\/main\.js"\]$/m,
    );
  });
});

test('alarms and the Grafana dashboard ask only for metrics that exist', () => {
  const defined = globSync('apps/*/src/*-metrics.ts', { cwd: ROOT })
    .flatMap((file) => [...readFileSync(path.join(ROOT, file), 'utf8').matchAll(/name: '(cdr_[a-z_]+)'/g)])
    .map(([, name]) => name);
  const ofNode = ['cdr_process_cpu_seconds_total', 'cdr_process_resident_memory_bytes'];
  const asked = ['deploy/prometheus/alerts.yml', 'deploy/grafana/dashboards/cdr-ingester.json']
    .flatMap(
      (file) =>
        readFileSync(path.join(ROOT, file), 'utf8').match(/\bcdr_(?:worker|scanner|dashboard|process)_[a-z_]+\b/g) ??
        [],
    )
    .map((name) => name.replace(/_seconds_(?:bucket|sum|count)$/, '_seconds'));
  expect([...new Set(asked)].filter((name) => ![...defined, ...ofNode].includes(name))).toEqual([]);
});
