import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';

const file = path.join(import.meta.dirname, 'kill-self.ts');
const script = `import(${JSON.stringify(file)}).then(({ killSelf }) => { setInterval(() => {}, 1000); killSelf(); })`;

test('a process ends at once, by SIGKILL', () => {
  const { signal } = spawnSync(process.execPath, ['-e', script], { timeout: 20_000 });
  expect(signal).toBe('SIGKILL');
});

test.skipIf(process.getuid?.() !== 0 || process.platform !== 'linux')(
  'the first process of a container ends as well',
  () => {
    const { status } = spawnSync('unshare', ['--pid', '--fork', process.execPath, '-e', script], { timeout: 20_000 });
    expect(status).toBe(137);
  },
);
