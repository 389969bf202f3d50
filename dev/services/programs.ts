import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { withLock } from './file-lock.ts';
import { DEV_DIR } from './instance.ts';

const run = promisify(execFile);

// Asked by Debian's packages whether they may start a service; 101 means no.
const POLICY = '/usr/sbin/policy-rc.d';

/** A program the services need: its possible names, and the Debian package that brings it. */
export interface Program {
  names: readonly string[];
  debianPackage: string;
  what: string;
}

export const PROGRAMS = {
  redis: { names: ['redis-server', 'valkey-server'], debianPackage: 'redis-server', what: 'Redis (or Valkey)' },
  sshd: { names: ['sshd'], debianPackage: 'openssh-server', what: 'OpenSSH server' },
  sshKeygen: { names: ['ssh-keygen'], debianPackage: 'openssh-client', what: 'OpenSSH client' },
  java: { names: ['java'], debianPackage: 'default-jdk-headless', what: 'Java 17' },
  javac: { names: ['javac'], debianPackage: 'default-jdk-headless', what: 'Java compiler (JDK 17)' },
  openssl: { names: ['openssl'], debianPackage: 'openssl', what: 'OpenSSL' },
  sshKeyscan: { names: ['ssh-keyscan'], debianPackage: 'openssh-client', what: 'OpenSSH client' },
  maven: { names: ['mvn'], debianPackage: 'maven', what: 'Maven' },
} as const satisfies Record<string, Program>;

/** The full path of a program, or undefined. Looks in the usual folders too: /usr/sbin is not on everybody's PATH. */
export function findProgram(program: Program, searchPath = process.env.PATH ?? ''): string | undefined {
  const folders = [...searchPath.split(path.delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin', '/opt/homebrew/bin'];
  for (const name of program.names) {
    for (const folder of folders) {
      const file = path.join(folder, name);
      if (folder !== '' && isExecutable(file)) return file;
    }
  }
  return undefined;
}

/** The full path of a program that must be there by now. */
export function programPath(program: Program): string {
  const file = findProgram(program);
  if (file === undefined) throw new Error(missingMessage([program]));
  return file;
}

/**
 * Makes sure that all the programs are on this machine: installs what is missing by apt-get when we are root on Debian.
 * @throws one line that says what to install, where we cannot
 */
export async function ensurePrograms(programs: readonly Program[], progress: (line: string) => void): Promise<void> {
  if (missing(programs).length === 0) return;
  if (!canInstall()) throw new Error(missingMessage(missing(programs)));
  await withLock(path.join(DEV_DIR, 'apt.lock'), 600_000, async () => {
    const packages = missing(programs).map((program) => program.debianPackage);
    if (packages.length > 0) await aptInstall([...new Set(packages)], progress);
  });
  if (missing(programs).length > 0) throw new Error(missingMessage(missing(programs)));
}

function missing(programs: readonly Program[]): Program[] {
  return programs.filter((program) => findProgram(program) === undefined);
}

function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && existsSync('/usr/bin/apt-get');
}

async function aptInstall(packages: string[], progress: (line: string) => void): Promise<void> {
  progress(`Installing ${packages.join(', ')} by apt-get (once)`);
  const options = ['-o', 'DPkg::Lock::Timeout=300', '-qq', '-y'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = () => run('apt-get', [...options, 'install', '--no-install-recommends', ...packages], { env });
  await withoutStartingDaemons(async () => {
    try {
      await install();
    } catch {
      // Fresh images come without package lists, and old lists name packages that are gone.
      await run('apt-get', [...options, 'update'], { env });
      await install();
    }
  });
}

/**
 * Debian starts a server as soon as its package is installed. We want the programs and no sshd open to the network,
 * so say so for the time of the installation, in the way that Debian has for it.
 */
async function withoutStartingDaemons(work: () => Promise<void>): Promise<void> {
  const ours = !existsSync(POLICY);
  if (ours)
    writeFileSync(POLICY, '#!/bin/sh\n# For one installation by cdr-ingester; delete it if you find it.\nexit 101\n', {
      mode: 0o755,
    });
  try {
    await work();
  } finally {
    if (ours) rmSync(POLICY, { force: true });
  }
}

function missingMessage(programs: readonly Program[]): string {
  const what = programs.map((program) => program.what).join(', ');
  const packages = [...new Set(programs.map((program) => program.debianPackage))].join(' ');
  return `Missing on this machine: ${what}. Install it (Debian: apt-get install ${packages}), or use "docker compose up".`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
