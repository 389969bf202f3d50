import { describeError } from '@cdr/core/errors';
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
  /**
   * Writes into the audit trail that the dashboard shows. What is done is done: should Redis not take it, that is said
   * and nothing thrown.
   */
  readonly audit: (what: string, detail: string) => Promise<void>;
  /** From the first call on, Ctrl-C aborts this signal instead of ending the process. */
  readonly interrupted: () => AbortSignal;
}

export interface ContextOptions {
  readonly env: Env;
  readonly readFile: (path: string) => string;
  readonly out: Output;
  readonly operator: string;
  /** Where the operator sits: this machine, or the address of whoever is logged in on it. */
  readonly from: string;
  readonly interrupted: () => AbortSignal;
}

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean;
}

export type Action = (context: CommandContext) => Promise<ExitCode>;

/** Runs a command's action between opening and closing its connections. */
export type Runner = (options: CommonOptions, action: Action) => Promise<void>;

export function commandContext(options: ContextOptions): CommandContext {
  const { env, readFile, out, operator, from, interrupted } = options;
  const parts = configParts(env, readFile);
  const connections = new Connections(parts);
  let whole: CliConfig | undefined;
  return {
    out,
    parts,
    connections,
    config: () => (whole ??= wholeConfig(parts)),
    operator,
    audit: async (what, detail) => {
      try {
        await (await connections.audit()).add({ who: operator, from, what, detail });
      } catch (error) {
        out.note(`It is done, but the audit trail lacks it: ${describeError(error)}`);
      }
    },
    interrupted,
  };
}
