import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { freePort } from './free-port.ts';
import type { Instance } from './instance.ts';
import { OwnProcess, runningPid, sendSignal } from './own-process.ts';
import { descendants, runningProcesses } from './process-table.ts';
import { findProgram, PROGRAMS, programPath } from './programs.ts';
import { sshAnswers } from './ready-checks.ts';
import { readState, writeState } from './service-state.ts';

const START_DEADLINE_MS = 15_000;

// sshd refuses a chroot unless every folder above it belongs to root and is closed to others' writing: a checkout in
// somebody's home, or in /tmp, will not do.
const CHROOTS = '/var/lib/cdr-ingester-dev';

/** An OpenSSH server of our own that serves SFTP only. */
export class Sshd {
  readonly port: number;
  readonly user: string;
  /** The server's /upload (or what stands for it) as a folder of this machine. */
  readonly uploadDir: string;
  /** The private key of the user; works beside the password. */
  readonly privateKeyFile: string;
  readonly env: Record<string, string>;
  readonly #instance: Instance;
  readonly #process: OwnProcess;

  private constructor(instance: Instance, port: number, password: string) {
    const places = placesOf(instance);
    this.#instance = instance;
    this.port = port;
    this.user = places.user;
    this.uploadDir = places.uploadDir;
    this.privateKeyFile = places.clientKey;
    this.env = {
      SFTP_HOST: '127.0.0.1',
      SFTP_PORT: String(port),
      SFTP_USER: places.user,
      ...(isRoot() ? { SFTP_PASSWORD: password } : { SFTP_PRIVATE_KEY_FILE: places.clientKey }),
      SFTP_REMOTE_PATH: isRoot() ? '/upload' : places.uploadDir,
      SFTP_HOST_KEY: fingerprint(`${places.hostKey}.pub`),
    };
    // sshd starts itself anew for each connection and must be called by its full path for that.
    const args = ['-D', '-e', '-f', path.join(places.dir, 'sshd_config')];
    this.#process = new OwnProcess({ name: 'sshd', dir: places.dir, command: programPath(PROGRAMS.sshd), args });
  }

  /**
   * Starts sshd for an instance. As root: a user of its own with a random password and a key, locked into its folder.
   * Otherwise sshd can neither change user nor check passwords: only the user who runs this gets in, by key.
   */
  static async start(instance: Instance): Promise<Sshd> {
    const places = placesOf(instance);
    const earlier = readState(places.dir);
    const port = await freePort(earlier?.port);
    const password = earlier?.password ?? randomBytes(18).toString('base64url');
    for (const key of [places.hostKey, places.clientKey]) makeKey(key);
    mkdirSync(places.uploadDir, { recursive: true });
    copyFileSync(`${places.clientKey}.pub`, places.authorizedKeys);
    if (isRoot()) prepareUser(places, password);
    writeFileSync(path.join(places.dir, 'sshd_config'), configuration(places, port));
    writeState(places.dir, { port, password });
    const sshd = new Sshd(instance, port, password);
    await sshd.restart();
    return sshd;
  }

  /** The sshd that another process has started for this instance. */
  static open(instance: Instance): Sshd {
    const state = readState(placesOf(instance).dir);
    if (state === undefined) throw new Error(`No sshd was started for the instance "${instance.name}".`);
    return new Sshd(instance, state.port, state.password ?? '');
  }

  /** The sshd of this instance when it runs. */
  static running(instance: Instance): Sshd | undefined {
    return runningPid(placesOf(instance).dir) === undefined ? undefined : Sshd.open(instance);
  }

  /** The processes that serve an instance's connections, those of an sshd that was killed included. */
  static sessionsOf(instance: Instance): number[] {
    const { dir, user } = placesOf(instance);
    const table = runningProcesses();
    const pid = runningPid(dir);
    const children = pid === undefined ? [] : descendants(pid, table);
    // Sessions outlive a killed listener; then only the user in their title tells whose they are.
    const title = new RegExp(`^sshd(-session)?: ${user}[@ ]`);
    const orphans = isRoot() ? table.filter((process) => title.test(process.command)) : [];
    return [...new Set([...children, ...orphans].map((process) => process.pid))];
  }

  /** Deletes what an instance has outside the checkout: the files and the user. Its sshd must be stopped. */
  static deleteTraces(instance: Instance): void {
    const places = placesOf(instance);
    rmSync(places.root, { recursive: true, force: true });
    rmSync(places.authorizedKeys, { force: true });
    if (isRoot() && userExists(places.user)) admin('userdel', [places.user]);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get logFile(): string {
    return this.#process.logFile;
  }

  /** The processes that serve the connections of now. Freeze and wake them with signals. */
  sessionPids(): number[] {
    return Sshd.sessionsOf(this.#instance);
  }

  /** Sends a signal to all connections' processes, such as SIGSTOP and SIGCONT. */
  signalSessions(signal: NodeJS.Signals): void {
    for (const pid of this.sessionPids()) sendSignal(pid, signal);
  }

  /** Breaks all connections; new ones are taken. */
  killSessions(): void {
    this.signalSessions('SIGKILL');
  }

  /** Ends the server and its connections at once, as a crash does. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const sessions = this.sessionPids();
    await this.#process.kill(signal);
    for (const pid of sessions) sendSignal(pid, signal);
  }

  async stop(): Promise<void> {
    const sessions = this.sessionPids();
    await this.#process.stop();
    for (const pid of sessions) sendSignal(pid, 'SIGKILL');
  }

  /** Starts it again on the same port with the same files and keys; stops it first when it runs. */
  async restart(): Promise<void> {
    if (this.pid !== undefined) await this.stop();
    this.#process.start();
    await this.#process.waitUntilReady(() => sshAnswers('127.0.0.1', this.port), START_DEADLINE_MS);
  }
}

interface Places {
  dir: string;
  user: string;
  /** The folder that is / to the SFTP user. */
  root: string;
  uploadDir: string;
  hostKey: string;
  clientKey: string;
  authorizedKeys: string;
}

function placesOf(instance: Instance): Places {
  const dir = path.join(instance.dir, 'sshd');
  const root = isRoot() ? path.join(CHROOTS, instance.machineName) : path.join(dir, 'files');
  return {
    dir,
    user: isRoot() ? `cdr_${instance.machineName}` : userInfo().username,
    root,
    uploadDir: path.join(root, 'upload'),
    hostKey: path.join(dir, 'host_key'),
    clientKey: path.join(dir, 'client_key'),
    // sshd reads it as the user who logs in, who may not be allowed into the checkout.
    authorizedKeys: isRoot() ? `${root}.authorized_keys` : path.join(dir, 'authorized_keys'),
  };
}

function configuration(places: Places, port: number): string {
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${places.hostKey}`,
    'PidFile none',
    `AuthorizedKeysFile ${places.authorizedKeys}`,
    'PubkeyAuthentication yes',
    `PasswordAuthentication ${isRoot() ? 'yes' : 'no'}`,
    'KbdInteractiveAuthentication no',
    'UsePAM no',
    'UseDNS no',
    'StrictModes no',
    'MaxStartups 100',
    'MaxSessions 10',
    'Subsystem sftp internal-sftp',
    'ForceCommand internal-sftp',
    'DisableForwarding yes',
    'LogLevel INFO',
  ];
  if (isRoot()) lines.push(`AllowUsers ${places.user}`, `ChrootDirectory ${places.root}`);
  // Newer servers lock out an address whose connections break too often, which tests do to 127.0.0.1 on purpose.
  if (sshdVersion() >= 9.8) lines.push('PerSourcePenalties no');
  return `${lines.join('\n')}\n`;
}

function prepareUser(places: Places, password: string): void {
  mkdirSync('/run/sshd', { recursive: true });
  if (!userExists(places.user)) admin('useradd', ['-M', '-d', '/', '-s', '/usr/sbin/nologin', places.user]);
  admin('chpasswd', [], `${places.user}:${password}\n`);
  for (const folder of [CHROOTS, places.root]) {
    chownSync(folder, 0, 0);
    chmodSync(folder, 0o755);
  }
  chmodSync(places.authorizedKeys, 0o644);
  chownSync(places.uploadDir, userId('-u', places.user), userId('-g', places.user));
}

function admin(command: string, args: string[], input = ''): void {
  const program = findProgram({ names: [command], debianPackage: 'passwd', what: command });
  if (program === undefined) throw new Error(`sshd needs ${command} to make its user; run this without being root.`);
  execFileSync(program, args, { input, stdio: ['pipe', 'ignore', 'pipe'] });
}

function userExists(user: string): boolean {
  try {
    return userId('-u', user) > 0;
  } catch {
    return false;
  }
}

function userId(option: '-u' | '-g', user: string): number {
  return Number(execFileSync('id', [option, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
}

function makeKey(file: string): void {
  if (existsSync(file)) return;
  mkdirSync(path.dirname(file), { recursive: true });
  execFileSync(programPath(PROGRAMS.sshKeygen), [
    '-q',
    '-t',
    'ed25519',
    '-N',
    '',
    '-C',
    'cdr-ingester-dev',
    '-f',
    file,
  ]);
}

/** The SHA256 fingerprint of a public key file, as `ssh-keygen -lf` prints it. */
function fingerprint(publicKeyFile: string): string {
  const [, blob = ''] = readFileSync(publicKeyFile, 'utf8').split(' ');
  const hash = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64');
  return `SHA256:${hash.replace(/=+$/, '')}`;
}

/** OpenSSH's version as a number (9.2). Servers that do not know -V name their version in the complaint. */
function sshdVersion(): number {
  const { stdout, stderr } = spawnSync(programPath(PROGRAMS.sshd), ['-V'], { encoding: 'utf8' });
  return Number(/OpenSSH_(\d+\.\d+)/.exec(`${stdout}${stderr}`)?.[1] ?? 0);
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
