import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { CommanderError } from 'commander';
import { CdrError, describeError, errorCodeOf } from '@cdr/core/errors';
import { SettingsError, withSecretFiles } from '@cdr/core/settings';
import { escapeControls, hideUrlCredentials } from '@cdr/telemetry/log-line';
import { commandContext, type Runner } from './command-context.ts';
import { EXIT, exitCodeOf, UsageError, type ExitCode } from './exit-codes.ts';
import { Output } from './output/output.ts';
import { cliProgram } from './program.ts';

const readFile = (path: string): string => readFileSync(path, 'utf8');
const say = (text: string): void => void process.stderr.write(text);

// `cdr files | head` closes the pipe early: enough was read
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.no));

let exitCode: ExitCode = EXIT.ok;
const run: Runner = async ({ json = false }, action) => {
  const out = new Output(process, json);
  try {
    const env = withSecretFiles(process.env, readFile);
    const context = commandContext({ env, readFile, out, operator: operatorName(), from: seat(), interrupted });
    try {
      exitCode = await action(context);
    } finally {
      await context.connections.close();
    }
  } catch (error) {
    exitCode = report(error, out);
  }
};

try {
  await cliProgram(run, say).parseAsync(process.argv);
} catch (error) {
  // commander has printed its message or its help
  if (!(error instanceof CommanderError)) throw error;
  exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
}
process.exit(exitCode);

/** One line that says what is wrong and what to do; a stack only for what nobody foresaw, and only when asked for. */
function report(error: unknown, out: Output): ExitCode {
  const [code, exit] =
    error instanceof SettingsError
      ? (['bad-config', EXIT.usage] as const)
      : error instanceof UsageError
        ? (['usage', EXIT.usage] as const)
        : ([errorCodeOf(error), exitCodeOf(errorCodeOf(error))] as const);
  const text = hideUrlCredentials(describeError(error));
  if (out.json) out.answer({ error: { code, message: text } }, () => undefined);
  say(`cdr: ${text.split('\n').map(escapeControls).join('\n')}\n`);
  const ours = error instanceof SettingsError || error instanceof UsageError;
  if (process.env['LOG_LEVEL'] === 'debug' && error instanceof Error && !ours) say(`${error.stack ?? ''}\n`);
  else if (!ours && !(error instanceof CdrError))
    say('That was not foreseen. LOG_LEVEL=debug shows where it comes from.\n');
  return exit;
}

/** Over SSH the address that somebody comes from. */
function seat(): string {
  const address = process.env['SSH_CONNECTION']?.split(' ', 1)[0];
  return address ? `${address} on ${hostname()}` : hostname();
}

function interrupted(): AbortSignal {
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
  return interrupt.signal;
}

function operatorName(): string {
  try {
    const { username } = userInfo();
    const behind = process.env['SUDO_USER'];
    return `${username}${behind && behind !== username ? `(${behind})` : ''}@${hostname()}`;
  } catch {
    // a container's user may have no name
    return `${process.getuid?.() ?? 'unknown'}@${hostname()}`;
  }
}
