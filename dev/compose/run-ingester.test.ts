import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ROOT } from './compose-file.ts';

/** Programs that stand for Docker: shell scripts that write down how they were called. */
type Programs = Readonly<Record<string, string>>;

interface Run {
  readonly status: number | null;
  readonly output: string;
  /** One line a call. */
  readonly calls: readonly string[];
}

/** All that Docker says when everything is as it should be. */
const DOCKER = `case "$*" in
  'version --format'*) echo 27.0.0 ;;
  inspect*) echo "\${STATE-healthy}" ;;
  'compose ps -q'*) echo id-of-$4 ;;
esac`;

function runIngester(args: readonly string[], programs: Programs, env: Readonly<Record<string, string>> = {}): Run {
  const dir = mkdtempSync(path.join(tmpdir(), 'run-ingester-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, script] of Object.entries(programs)) {
    const file = path.join(dir, name);
    writeFileSync(file, `#!/bin/bash\necho "${name} $*" >>"${dir}/calls"\n${script}\n`);
    chmodSync(file, 0o755);
  }
  writeFileSync(path.join(dir, 'calls'), '');
  // the machine's own Docker must not be found
  const usual = ['bash', 'sed', 'dirname', 'sleep', 'cat'];
  for (const name of usual)
    writeFileSync(path.join(dir, name), `#!/bin/sh\nPATH=/usr/bin:/bin exec ${name} "$@"\n`, { mode: 0o755 });
  const { status, stdout, stderr } = spawnSync('/bin/bash', [path.join(ROOT, 'run_ingester.sh'), ...args], {
    env: { PATH: dir, ...env },
    encoding: 'utf8',
    timeout: 30_000,
  });
  const calls = readFileSync(path.join(dir, 'calls'), 'utf8').split('\n').filter(Boolean);
  return { status, output: stdout + stderr, calls };
}

describe('run_ingester.sh', () => {
  test('starts servers, topics, apps in this order, and says what was ingested', () => {
    const { status, output, calls } = runIngester(['--workers', '4', '--follow', '0', '--generate', '6'], {
      docker: DOCKER,
    });
    expect(output).toContain('Everything runs.');
    expect(status).toBe(0);
    expect(calls.filter((call) => / (up|run|build|logs) /.test(call))).toEqual([
      'docker compose build --quiet scanner',
      'docker compose up -d sftp redis redpanda-0 redpanda-1 redpanda-2 console',
      'docker compose run --rm --no-deps -T cli topics',
      'docker compose run --rm --no-deps -T cli generate --files 6',
      'docker compose up -d --scale worker=4 scanner worker dashboard',
      'docker compose run --rm --no-deps -T cli status',
    ]);
  });

  test('takes docker-compose where Docker has no compose of its own', () => {
    const old = `case "$*" in compose*) exit 1 ;; esac\n${DOCKER}`;
    const compose = 'case "$*" in "ps -q"*) echo id ;; esac';
    const { status, calls } = runIngester(['--follow', '0', '--no-build'], { docker: old, 'docker-compose': compose });
    expect(status).toBe(0);
    expect(calls).toContain('docker-compose up -d --scale worker=2 scanner worker dashboard');
    expect(calls.join('\n')).not.toContain('build');
  });

  test('shows live logs for as long as it was told', () => {
    const { status, output } = runIngester(['--follow', '1'], {
      docker: `case "$*" in 'compose logs'*) echo 'a line of the log'; exec sleep 60 ;; esac\n${DOCKER}`,
    });
    expect(output).toContain('a line of the log');
    expect(status).toBe(0);
  });

  test('says which service is not healthy, and leaves with 1', () => {
    const { status, output } = runIngester(['--timeout', '1'], { docker: DOCKER }, { STATE: 'unhealthy' });
    expect(output).toMatch(/not healthy after 1 s: sftp: unhealthy;/);
    expect(status).toBe(1);
  });

  test.each([
    ['an option that is not there', ['--bogus'], 2],
    ['an option without its number', ['--workers'], 2],
    ['no worker', ['--workers', '0'], 2],
    ['no daemon', [], 3],
  ])('%s: leaves with its own exit code', (_, args, expected) => {
    expect(runIngester(args, { docker: 'exit 1' }).status).toBe(expected);
  });

  test('no Docker at all, or Docker without Compose: leaves with 3', () => {
    expect(runIngester([], {}).status).toBe(3);
    const { status, output } = runIngester([], { docker: `case "$*" in compose*) exit 1 ;; esac` });
    expect(output).toContain('Compose is not installed');
    expect(status).toBe(3);
  });

  test('--help is an answer and no mistake', () => {
    const { status, output } = runIngester(['--help'], {});
    expect(output).toContain('--workers N');
    expect(status).toBe(0);
  });
});
