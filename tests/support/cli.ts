import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { onTestFinished } from 'vitest';

const ROOT = path.join(import.meta.dirname, '../..');
/** Most of what a short command costs is compiling its modules. */
const COMPILE_CACHE = path.join(ROOT, '.dev/compile-cache');
const MAIN = path.join(ROOT, 'apps/cli/src/main.ts');

/** What became of a `cdr` command. */
export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `cdr` command that runs, as a process of its own; it is killed when the test ends. */
export function startCli(args: readonly string[], env: Record<string, string>): ChildProcess {
  const child = spawn(
    process.execPath,
    ['--disable-warning=TimeoutNegativeWarning', '--conditions=@cdr/source', MAIN, ...args],
    {
      cwd: ROOT,
      env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Runs a `cdr` command to its end, with nothing in its environment but what is given. */
export async function runCli(args: readonly string[], env: Record<string, string>): Promise<CliResult> {
  const child = startCli(args, env);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => (output[name] += text));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  // when its pipes are read to their ends as well
  child.once('close', resolve).once('error', reject);
  return { code: await promise, ...output };
}
