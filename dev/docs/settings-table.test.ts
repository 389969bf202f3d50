import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { envExample, withSettingsTable } from './settings-table.ts';

const root = path.resolve(import.meta.dirname, '../..');
const REMEDY = 'run "npx pnpm docs:write"';

test("README's table of settings is what the code has", async () => {
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
  expect(readme, REMEDY).toBe(await withSettingsTable(readme));
});

test('.env.example is what the code has', () => {
  expect(readFileSync(path.join(root, '.env.example'), 'utf8'), REMEDY).toBe(envExample());
});
