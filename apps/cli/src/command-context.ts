import type { Env } from '@cdr/core/settings';
import { configParts, wholeConfig, type CliConfig, type ConfigParts } from './config.ts';
import { Connections } from './connections.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Output } from './output/output.ts';

/** What a command works with. */
export interface CommandContext {
  readonly out: Output;
  readonly connections: Connections;
  /** Read one by one; for `check`, which goes on when one is wrong. */
  readonly parts: ConfigParts;
  /** All of it. Throws SettingsError with everything that is wrong. */
  readonly config: () => CliConfig;
  /** `user@host`, for what is written in somebody's name. */
  readonly operator: string;
  /** From the first call on, Ctrl-C aborts this signal instead of ending the process. */
  readonly interrupted: () => AbortSignal;
}

export interface ContextOptions {
  readonly env: Env;
  readonly readFile: (path: string) => string;
  readonly out: Output;
  readonly operator: string;
  readonly interrupted: () => AbortSignal;
}

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean;
}

export type Action = (context: CommandContext) => Promise<ExitCode>;

/** Runs a command's action between opening and closing its connections. */
export type Runner = (options: CommonOptions, action: Action) => Promise<void>;

export function commandContext({ env, readFile, out, operator, interrupted }: ContextOptions): CommandContext {
  const parts = configParts(env, readFile);
  let whole: CliConfig | undefined;
  return {
    out,
    parts,
    connections: new Connections(parts),
    config: () => (whole ??= wholeConfig(parts)),
    operator,
    interrupted,
  };
}
