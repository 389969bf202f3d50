import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { isLocked, tryLock, unlock } from './file-lock.ts';
import { runningPid } from './own-process.ts';

/** The folder of the checkout that holds everything the development services write. Nothing of it is committed. */
export const DEV_DIR = path.resolve(import.meta.dirname, '../../.dev');

/** One set of running parts. The demo, the tests and the benchmark have their own and do not meet. */
export interface Instance {
  name: string;
  /** `.dev/<name>`, absolute; each service has a folder in it. */
  dir: string;
  /** The name on the machine outside the checkout (user names, chroot folders), where two checkouts must not meet. */
  machineName: string;
}

/** The instance of that name, running or not. Names are short, lower case and without spaces. */
export function instanceNamed(name: string): Instance {
  if (!/^[a-z][a-z0-9-]{0,15}$/.test(name)) throw new Error(`"${name}" is no name for an instance of the services.`);
  const checkout = createHash('sha256').update(DEV_DIR).digest('hex').slice(0, 6);
  return { name, dir: path.join(DEV_DIR, name), machineName: `${name}-${checkout}` };
}

/**
 * Takes an instance for this process alone: `name`, or `name-2`, `name-3`... while another process has it, so that two
 * test runs in one checkout do not stop each other's services.
 */
export function claimInstance(name: string): Instance {
  for (let number = 1; number < 20; number += 1) {
    const instance = instanceNamed(number === 1 ? name : `${name}-${number}`);
    if (tryLock(ownerFile(instance))) return instance;
  }
  throw new Error(`Twenty processes use instances of "${name}" already.`);
}

/** Gives a claimed instance back. */
export function releaseInstance(instance: Instance): void {
  unlock(ownerFile(instance));
}

/** The folders of the services of an instance that were started at some time. */
export function serviceDirs(instance: Instance): string[] {
  if (!existsSync(instance.dir)) return [];
  const entries = readdirSync(instance.dir, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => path.join(instance.dir, entry.name));
}

/** The recorded processes of an instance that still run and are really ours. */
export function runningServices(instance: Instance): { dir: string; pid: number }[] {
  return serviceDirs(instance).flatMap((dir) => {
    const pid = runningPid(dir);
    return pid === undefined ? [] : [{ dir, pid }];
  });
}

/** Instances whose services still run although the process that started them for itself is gone. */
export function abandonedInstances(): Instance[] {
  if (!existsSync(DEV_DIR)) return [];
  const owned = readdirSync(DEV_DIR).filter((file) => file.endsWith('.owner'));
  return owned
    .map((file) => instanceNamed(path.basename(file, '.owner')))
    .filter((instance) => !isLocked(ownerFile(instance)) && runningServices(instance).length > 0);
}

function ownerFile(instance: Instance): string {
  return `${instance.dir}.owner`;
}
