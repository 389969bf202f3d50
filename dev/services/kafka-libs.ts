import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { withLock } from './file-lock.ts';
import { DEV_DIR } from './instance.ts';
import { PROGRAMS, programPath } from './programs.ts';

const run = promisify(execFile);

const POM = path.join(import.meta.dirname, 'kafka/pom.xml');
const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** The folder that holds Kafka's jars for all instances of this checkout; another pom.xml means another folder. */
export function kafkaLibsDir(): string {
  const pom = readFileSync(POM);
  return path.join(DEV_DIR, `kafka-libs-${createHash('sha256').update(pom).digest('hex').slice(0, 8)}`);
}

/** Whether the jars have been fetched already, so that Maven is not needed. */
export function hasKafkaLibs(): boolean {
  return existsSync(kafkaLibsDir());
}

/** Fetches Kafka's jars by Maven when they are not there yet (about 45 jars, 43 MB). Safe to call at the same time. */
export async function fetchKafkaLibs(progress: (line: string) => void): Promise<void> {
  if (hasKafkaLibs()) return;
  await withLock(path.join(DEV_DIR, 'kafka-libs.lock'), 600_000, async () => {
    if (hasKafkaLibs()) return;
    progress(`Fetching Apache Kafka by Maven (once, about 43 MB)`);
    const partial = `${kafkaLibsDir()}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    const options = ['-B', '-ntp', '-q', '-f', POM, COPY_DEPENDENCIES];
    await run(programPath(PROGRAMS.maven), [...options, `-DoutputDirectory=${partial}`, '-DincludeScope=runtime']);
    // The folder appears under its name only when it is complete: a start that was interrupted fetches again.
    renameSync(partial, kafkaLibsDir());
  });
}

/** The class path of Kafka's jars. */
export function kafkaClassPath(): string {
  return path.join(kafkaLibsDir(), '*');
}
