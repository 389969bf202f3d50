import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import kafkajs, { type Admin } from 'kafkajs';
import { expect, onTestFinished } from 'vitest';
import { FAST } from './app-process.ts';
import { runCli, type CliResult } from './cli.ts';
import type { JavaConsumer } from './java-consumer.ts';
import { Scenario } from './scenario.ts';

export type Json = Record<string, unknown>;

/** A scenario with a command line. */
export class CliScenario extends Scenario {
  readonly cliEnv: Record<string, string>;

  constructor(java: JavaConsumer, env: Record<string, string> = {}) {
    super(java, { TOPIC_REPLICATION: '1', ...env });
    this.cliEnv = { ...FAST, ...this.world.env, TOPIC_REPLICATION: '1', LOG_LEVEL: 'info', ...env };
  }

  cdr(...args: string[]): Promise<CliResult> {
    return runCli(args, this.cliEnv);
  }

  /** Runs a command that must end well, or as expected, and gives its JSON answer. */
  async json(args: readonly string[], code = 0): Promise<Json> {
    const result = await this.cdr(...args, '--json');
    expect(result, result.stderr).toMatchObject({ code });
    return JSON.parse(result.stdout) as Json;
  }

  /** The same in text. */
  async text(args: readonly string[], code = 0): Promise<string> {
    const result = await this.cdr(...args);
    expect(result, result.stderr).toMatchObject({ code });
    return result.stdout;
  }

  /** Has these files ingested by a scanner and a worker, which leave again. */
  async ingested(names: readonly string[]): Promise<void> {
    const apps = [this.scanner(), this.worker()];
    await this.untilCommitted(names);
    await Promise.all(apps.map((app) => app.end()));
  }
}

/** Asks Kafka as its administrator. */
export async function withAdmin<T>(scenario: Scenario, action: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new kafkajs.Kafka({ brokers: scenario.world.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await action(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Gone after the test. */
export function localDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'cdr-cli-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** A local file with these lines, gone after the test. */
export function localFile(...lines: string[]): string {
  const file = path.join(localDirectory(), 'processed_files.txt');
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  return file;
}
