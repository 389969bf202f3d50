import { mayComeFromFile, SETTINGS, type Setting } from '@cdr/core/settings';
import { format, resolveConfig } from 'prettier';

const TABLE = /(<!-- settings -->\n).*?(<!-- \/settings -->)/s;

/** README.md with the table of settings between its markers as SETTINGS has them, formatted as the house formats. */
export async function withSettingsTable(readme: string): Promise<string> {
  if (!TABLE.test(readme))
    throw new Error('README.md has no <!-- settings --> and <!-- /settings --> on lines of their own');
  const config = await resolveConfig(import.meta.filename);
  const table = await format(settingsTable(), { ...config, parser: 'markdown' });
  return readme.replace(TABLE, (_, begin: string, end: string) => `${begin}\n${table}\n${end}`);
}

/** The text of .env.example: every variable with what it is for, commented out with its default. */
export function envExample(): string {
  const blocks = settings().map(([name, setting]) => {
    const about = `# ${setting.about}${setting.required ? ` (${requirement(setting)})` : ''}${fileHint(name, setting)}\n`;
    // an empty value counts as absent, so that the missing one is named at the start
    return `${about}${setting.required ? '' : '#'}${name}=${setting.default ?? ''}\n`;
  });
  return `${ENV_HEAD}\n${blocks.join('\n')}`;
}

const ENV_HEAD = `# Settings of the CDR ingester: copy to .env and remove the # of what you change. An empty value counts as absent.
# Made from packages/core/src/settings.ts by "npx pnpm docs:write".
`;

function settingsTable(): string {
  const rows = settings().map(([name, setting]) => {
    const { default: standard, required, about } = setting;
    const shown = standard === undefined ? (required ? requirement(setting) : '') : `\`${standard}\``;
    // a pipe ends a cell, in code too
    const text = `${about}${fileHint(name, setting)}`.replaceAll('|', '\\|');
    return `| \`${name}\` | ${shown} | ${text} |`;
  });
  return ['| Variable | Default | About |', '| --- | --- | --- |', ...rows].join('\n');
}

function requirement({ unless }: Setting): string {
  return unless ? `required, or ${unless}` : 'required';
}

function fileHint(name: string, setting: Setting): string {
  return mayComeFromFile(setting) ? `; or a file with it in \`${name}_FILE\`` : '';
}

function settings(): [string, Setting][] {
  return Object.entries<Setting>(SETTINGS);
}
