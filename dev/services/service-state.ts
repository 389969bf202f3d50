import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What a service keeps in its folder so that another process can reach it and a later start can come back to it. */
export interface ServiceState {
  port: number;
  /** SFTP only. */
  password?: string;
  /** Kafka only: the controller's listener. */
  controllerPort?: number;
  /** Kafka only. */
  clusterId?: string;
}

/** The state in a service's folder, or undefined where it was never started. */
export function readState(dir: string): ServiceState | undefined {
  try {
    return JSON.parse(readFileSync(path.join(dir, 'state.json'), 'utf8')) as ServiceState;
  } catch {
    return undefined;
  }
}

export function writeState(dir: string, state: ServiceState): void {
  mkdirSync(dir, { recursive: true });
  // It may hold a password.
  writeFileSync(path.join(dir, 'state.json'), `${JSON.stringify(state)}\n`, { mode: 0o600 });
}
