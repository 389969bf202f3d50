import type { TestProject } from 'vitest/node';
import { startParts } from '../../dev/services/parts.ts';

/** Vitest calls this once before the crash matrix, and what it returns after it: parts of its own, to be maltreated. */
export default async function startChaosParts(project: TestProject): Promise<() => Promise<void>> {
  const parts = await startParts({ instance: 'chaos', progress: (line) => console.error(line) });
  console.error(`sshd, Redis and Kafka for the crash matrix: logs in ${parts.instance.dir}`);
  project.provide('parts', { instance: parts.instance.name, env: parts.env });
  return () => parts.stop();
}
