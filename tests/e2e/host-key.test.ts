import { rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { AppProcess, FAST } from '../support/app-process.ts';
import { runCli } from '../support/cli.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { fingerprintOfFile, OtherSshd, scanHostKeys } from '../support/other-sshd.ts';
import { Scenario } from '../support/scenario.ts';

const java = useJavaConsumer();

test('a server that comes back with another key stops everything, loudly, until it is the right one again', async () => {
  const scenario = new Scenario(java);
  const { world } = scenario;
  const sshd = await OtherSshd.start(world, {});
  const [right, wrong] = [sshd.makeHostKey('right'), sshd.makeHostKey('wrong')];
  await sshd.restart({ HostKey: right });
  const knownHosts = path.join(sshd.dir, 'known_hosts');
  writeFileSync(knownHosts, scanHostKeys(sshd.port));
  // both ways to say which key is right
  const pinned = { SFTP_PORT: String(sshd.port), SFTP_HOST_KEY: fingerprintOfFile(right) };
  const known = { SFTP_PORT: String(sshd.port), SFTP_HOST_KEY: '', SFTP_KNOWN_HOSTS_FILE: knownHosts };
  const apps = [scenario.scanner(pinned), scenario.worker(known)];
  const before = scenario.upload(2, 20);
  await scenario.untilCommitted(before.map(({ name }) => name));

  await sshd.restart({ HostKey: wrong });
  const loggedBefore = sshd.log.length;
  const later = { name: 'cdr_data_20250101_000000.csv', content: before[0]?.content ?? '' };
  world.files.write(later.name, later.content, { atomic: true });
  // as a scanner would that has seen it just before
  const { size, mtimeMs } = statSync(world.files.path(later.name));
  await scenario.enqueue({
    file: later.name,
    feed: 'data',
    size,
    mtimeMs: Math.floor(mtimeMs / 1000) * 1000,
    generation: 1,
  });
  const shown = fingerprintOfFile(wrong);
  for (const app of apps) {
    const line = await app.untilMessage(/^the SFTP server cannot be used as it is/, { deadlineMs: 20_000 });
    expect(line).toMatchObject({ level: 'error', code: 'sftp-host-key' });
    expect(line.msg).toContain(`shows the host key ssh-ed25519 ${shown}, expected ${fingerprintOfFile(right)}`);
    expect(line.msg).toContain('somebody may be listening in between');
    expect((await fetch(`${await app.healthUrl()}/readyz`)).status).toBe(503);
  }
  const check = await runCli(['check'], { ...world.env, ...pinned });
  expect(check.code).toBe(1);
  expect(check.stdout).toMatch(/^FAILED +sftp: .*shows the host key ssh-ed25519 SHA256:/m);
  // nobody has logged in, with whatever password
  expect(sshd.log.slice(loggedBefore)).not.toMatch(/Accepted|Failed password/);
  expect(await scenario.known(later.name)).toBeUndefined();

  await sshd.restart({ HostKey: right });
  const job = await scenario.untilCompleted(later.name);
  expect(job.attemptsMade).toBe(1);
  await scenario.expectExactly([...before, later]);
});

test.each(['scanner', 'worker'] as const)(
  'the %s does not start without knowing the key: not with a known_hosts file of other servers either',
  async (app) => {
    const scenario = new Scenario(java);
    const file = path.join(path.dirname(scenario.world.sshd.logFile), `${scenario.world.id}.known_hosts`);
    writeFileSync(file, scanHostKeys(scenario.world.sshd.port).replaceAll('127.0.0.1', 'elsewhere'));
    const env = { ...FAST, ...scenario.world.env, SFTP_HOST_KEY: '' };
    const starts = [
      [{}, 'SFTP_HOST_KEY is missing'],
      [{ SFTP_KNOWN_HOSTS_FILE: file }, 'SFTP_KNOWN_HOSTS_FILE has no key of [127.0.0.1]:'],
      [{ SFTP_KNOWN_HOSTS_FILE: `${file}.none` }, 'cannot be read'],
    ] as const;
    await Promise.all(
      starts.map(async ([more, problem]) => {
        const started = AppProcess.start(app, { ...env, ...more });
        expect(await started.ended()).toBe(2);
        expect(started.other.join('\n')).toContain(problem);
      }),
    );
    rmSync(file);
  },
);
