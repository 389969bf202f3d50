import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { freePort } from '../../dev/services/free-port.ts';
import { OwnProcess, sendSignal } from '../../dev/services/own-process.ts';
import { descendants, runningProcesses } from '../../dev/services/process-table.ts';
import { PROGRAMS, programPath } from '../../dev/services/programs.ts';
import { sshAnswers } from '../../dev/services/ready-checks.ts';
import type { TestWorld } from './test-world.ts';

const START_DEADLINE_MS = 15_000;

/** A second OpenSSH server for one test, with the user, password and files of the first one and other settings. */
export class OtherSshd {
  readonly port: number;
  readonly dir: string;
  readonly #template: string;
  readonly #process: OwnProcess;

  private constructor(world: TestWorld, port: number) {
    const first = path.dirname(world.sshd.logFile);
    this.dir = path.join(path.dirname(first), `sshd-${world.id}`);
    this.port = port;
    this.#template = readFileSync(path.join(first, 'sshd_config'), 'utf8');
    mkdirSync(this.dir, { recursive: true });
    const args = ['-D', '-e', '-f', path.join(this.dir, 'sshd_config')];
    this.#process = new OwnProcess({ name: 'sshd', dir: this.dir, command: programPath(PROGRAMS.sshd), args });
  }

  /** Started with these settings in the place of the first server's; ends with the test. */
  static async start(
    world: TestWorld,
    settings: Readonly<Record<string, string | readonly string[]>>,
  ): Promise<OtherSshd> {
    const sshd = new OtherSshd(world, await freePort());
    onTestFinished(async () => {
      await sshd.stop();
      rmSync(sshd.dir, { recursive: true });
    });
    await sshd.restart(settings);
    return sshd;
  }

  /** Comes back on its port with other settings. Its connections end. */
  async restart(settings: Readonly<Record<string, string | readonly string[]>>): Promise<void> {
    await this.stop();
    const changed = { ...settings, Port: String(this.port) };
    const kept = this.#template.split('\n').filter((line) => !((line.split(' ')[0] ?? '') in changed));
    const lines = Object.entries(changed).flatMap(([name, value]) => [value].flat().map((each) => `${name} ${each}`));
    writeFileSync(path.join(this.dir, 'sshd_config'), [...lines, ...kept, ''].join('\n'));
    this.#process.start();
    await this.#process.waitUntilReady(() => sshAnswers('127.0.0.1', this.port), START_DEADLINE_MS);
  }

  /** A new host key of this type: its file, for the setting HostKey. */
  makeHostKey(name: string, type: 'ed25519' | 'rsa' = 'ed25519'): string {
    const file = path.join(this.dir, name);
    execFileSync(programPath(PROGRAMS.sshKeygen), ['-q', '-t', type, '-N', '', '-f', file]);
    return file;
  }

  /** What it has logged so far. */
  get log(): string {
    return readFileSync(this.#process.logFile, 'utf8');
  }

  async stop(): Promise<void> {
    const { pid } = this.#process;
    const sessions = pid === undefined ? [] : descendants(pid, runningProcesses());
    await this.#process.kill();
    for (const session of sessions) sendSignal(session.pid, 'SIGKILL');
  }
}

/** The fingerprint of a key file, as ssh-keygen prints it. */
export function fingerprintOfFile(file: string): string {
  const line = execFileSync(programPath(PROGRAMS.sshKeygen), ['-lf', file], { encoding: 'utf8' });
  return line.split(' ')[1] ?? '';
}

/** What the network shows of a server's keys, as lines of a known_hosts file; `hashed` hides the names. */
export function scanHostKeys(port: number, { hashed = false, types = '' } = {}): string {
  const args = [...(hashed ? ['-H'] : []), ...(types ? ['-t', types] : []), '-p', String(port), '127.0.0.1'];
  return execFileSync(programPath(PROGRAMS.sshKeyscan), args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** A copy of a private key that needs a passphrase. */
export function withPassphrase(keyFile: string, passphrase: string, to: string): string {
  copyFileSync(keyFile, to);
  execFileSync(programPath(PROGRAMS.sshKeygen), ['-q', '-p', '-P', '', '-N', passphrase, '-f', to]);
  return to;
}
