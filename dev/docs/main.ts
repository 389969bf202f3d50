import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { envExample, withSettingsTable } from './settings-table.ts';

// Rewrites the parts of the documentation that are made from the code.
const root = path.resolve(import.meta.dirname, '../..');
const readme = path.join(root, 'README.md');
writeFileSync(readme, await withSettingsTable(readFileSync(readme, 'utf8')));
writeFileSync(path.join(root, '.env.example'), envExample());
