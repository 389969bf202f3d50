import { connect, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AppProcess } from '../support/app-process.ts';
import { useJavaConsumer } from '../support/java-consumer.ts';
import { pollUntil } from '../support/poll-until.ts';
import { Scenario } from '../support/scenario.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const java = useJavaConsumer();
const SLOW = { deadlineMs: 120_000 };

async function sftpProxy(scenario: Scenario): Promise<{ proxy: TcpProxy; env: Record<string, string> }> {
  const proxy = await TcpProxy.start({ host: '127.0.0.1', port: scenario.world.sshd.port });
  onTestFinished(() => proxy.close());
  return { proxy, env: { SFTP_PORT: String(proxy.port) } };
}

function expectNothingFailed(...apps: readonly AppProcess[]): void {
  expect(apps.flatMap(({ lines }) => lines.filter(({ level }) => level === 'error'))).toEqual([]);
}

describe('the SFTP server', () => {
  test('breaks the connection in mid-file, five times', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '4000' });
    const file = scenario.uploadLarge(20_000);
    const { proxy, env } = await sftpProxy(scenario);
    scenario.scanner();
    const worker = scenario.faultyWorker('streamed:slow', env);
    await worker.untilFault();
    for (let i = 0; i < 5; i++) {
      const before = proxy.accepted;
      proxy.cut();
      await pollUntil('another connection', () => proxy.accepted > before, SLOW);
    }
    expect((await scenario.untilCompleted(file.name, SLOW)).attemptsMade).toBe(1);
    await scenario.expectExactly([file]);
    expectNothingFailed(worker);
  });

  test('is killed with all its sessions in mid-file, and comes back', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '4000' });
    const file = scenario.uploadLarge(20_000);
    const scanner = scenario.scanner();
    const worker = scenario.faultyWorker('streamed:slow:2');
    await worker.untilFault();
    await scenario.world.sshd.kill();
    try {
      await worker.untilMessage(/^the SFTP server is away/);
    } finally {
      await scenario.world.sshd.restart();
    }
    expect((await scenario.untilCompleted(file.name, SLOW)).attemptsMade).toBe(1);
    await scenario.expectExactly([file]);
    expectNothingFailed(worker, scanner);
  });

  test('freezes: the keepalive gives the connection up, and the file goes on over another', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '4000' });
    const file = scenario.uploadLarge(20_000);
    const scanner = scenario.scanner();
    const worker = scenario.faultyWorker('streamed:freeze:2');
    await worker.untilFault();
    await scanner.end();
    // the sessions of now; whoever connects from here on gets one that works
    const frozen = scenario.world.sshd.sessionPids();
    scenario.world.sshd.signalSessions('SIGSTOP');
    onTestFinished(() => {
      for (const pid of frozen) killIfThere(pid);
    });
    worker.signal('SIGCONT');
    await worker.untilMessage(/^the SFTP server is away|^Completed/, SLOW);
    await scenario.untilCommitted([file.name], SLOW);
    await scenario.expectExactly([file]);
    expectNothingFailed(worker);
  });

  test('is silent: bytes vanish on the way and the connection stays open', async () => {
    const scenario = new Scenario(java, { TRANSACTION_MAX_RECORDS: '4000', JOB_LOCK_MS: '6000' });
    const file = scenario.uploadLarge(20_000);
    const { proxy, env } = await sftpProxy(scenario);
    scenario.scanner();
    const worker = scenario.faultyWorker('streamed:slow:2', env);
    await worker.untilFault();
    proxy.swallow('down');
    await worker.untilMessage(/^the SFTP server is away/, SLOW);
    await proxy.restore();
    expect((await scenario.untilCompleted(file.name, SLOW)).attemptsMade).toBe(1);
    await scenario.expectExactly([file]);
    expectNothingFailed(worker);
  });

  test('takes no more connections (MaxStartups): waited for, nothing fails', async () => {
    const scenario = new Scenario(java);
    const files = scenario.upload(4, 100);
    const crowd: Socket[] = [];
    onTestFinished(() => {
      for (const socket of crowd) socket.destroy();
    });
    // each waits before its login, as the sshd allows a hundred to
    const turnedAway = Promise.withResolvers<void>();
    for (let i = 0; i < 110; i++) {
      const socket = connect(scenario.world.sshd.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('data', (banner) => {
        if (!banner.toString('latin1').startsWith('SSH-')) turnedAway.resolve();
      });
      socket.on('close', () => turnedAway.resolve());
      crowd.push(socket);
    }
    await turnedAway.promise;
    const scanner = scenario.scanner();
    const worker = scenario.worker();
    await Promise.all([scanner, worker].map((app) => app.untilMessage(/^the SFTP server is away/, SLOW)));
    for (const socket of crowd) socket.destroy();
    await scenario.untilCommitted(
      files.map(({ name }) => name),
      SLOW,
    );
    await scenario.expectExactly(files);
    expectNothingFailed(scanner, worker);
  });
});

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone by itself
  }
}
