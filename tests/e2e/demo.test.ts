import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { isPortFree } from '../../dev/services/free-port.ts';
import { runningProcesses } from '../../dev/services/process-table.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const run = promisify(execFile);

test('the demo kills a worker, has every row counted, and leaves nothing behind', async () => {
  const { stdout } = await demo('--files', '20', '--rows', '200');
  expect(stdout).toMatch(/worker-\d \(process \d+\) killed with SIGKILL/);
  expect(stdout).toMatch(/taken over after \d+\.\d s \(lock 3 s\)/);
  expect(stdout).toMatch(/^ {2}total +21 +304,003 +304,000 +3 +0$/m);
  expect(stdout).toContain('Every row of every file is there exactly once.');
  // colours and cursor movements are for terminals
  expect(stdout).not.toContain('\x1b');

  const started = [...stdout.matchAll(/process (\d+)/g)].map(([, pid]) => Number(pid));
  expect(started.length).toBeGreaterThanOrEqual(4);
  expect(runningProcesses().filter(({ pid }) => started.includes(pid))).toEqual([]);
  const ports = [...stdout.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
  expect(ports.length).toBeGreaterThanOrEqual(3);
  for (const port of ports) expect(await isPortFree(port), `nothing listens on port ${port}`).toBe(true);
});

test('a wrong option is one clear line and exit code 2', async () => {
  await expect(demo('--fiels', '20')).rejects.toMatchObject({
    code: 2,
    stdout: '',
    stderr: 'demo: there is no option --fiels (see --help)\n',
  });
});

/** The demo as `pnpm demo` runs it. Rejects when its exit code is not 0. */
async function demo(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const flags = ['--disable-warning=TimeoutNegativeWarning', '--conditions=@cdr/source'];
  return run(process.execPath, [...flags, path.join(ROOT, 'dev/demo/main.ts'), ...args], { cwd: ROOT });
}
