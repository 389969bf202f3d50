import type { TestProject } from 'vitest/node';
import { startParts } from '../../dev/services/parts.ts';

/** What the tests of the project `real` get: the name of the instance that runs, and the ingester's variables for it. */
export interface ProvidedParts {
  instance: string;
  env: Record<string, string>;
}

declare module 'vitest' {
  export interface ProvidedContext {
    parts: ProvidedParts;
  }
}

/** Vitest calls this once before the first file of the project `real`, and what it returns after the last one. */
export default async function startRealParts(project: TestProject): Promise<() => Promise<void>> {
  const startedAt = Date.now();
  const parts = await startParts({ instance: 'test', progress: say });
  say(`sshd, Redis and Kafka for the tests: ${Date.now() - startedAt} ms, logs in ${parts.instance.dir}`);
  project.provide('parts', { instance: parts.instance.name, env: parts.env });
  return () => parts.stop();
}

function say(line: string): void {
  console.error(line);
}
