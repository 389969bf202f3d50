import { createRequire } from 'node:module';
import { pino, stdTimeFunctions, type DestinationStream, type Logger as PinoLogger, type LoggerOptions } from 'pino';
import { logError } from './log-error.ts';
import { escapeBeyondJson, escapeForTerminal, hideUrlCredentials } from './log-line.ts';

export type Logger = PinoLogger;

export interface CreateLoggerOptions {
  /** In every line, as `app`. */
  readonly app: string;
  /** One of pino's: trace, debug, info, warn, error, fatal. */
  readonly level: string;
  /** For people, where pino-pretty is installed; JSON lines otherwise. Only for terminals. */
  readonly pretty?: boolean | undefined;
  /** Standard output when absent. */
  readonly destination?: NodeJS.WritableStream;
}

const SECRET_KEYS = ['password', 'passphrase', 'privateKey', 'secret', 'token', 'authorization', 'sasl'];

/**
 * A logger of JSON lines: `level` as a word, `time` in ISO 8601, `app`, `msg`. Values under secret-like keys, down to the
 * third level, and credentials in URLs are hidden. Errors under `err` or `error` are written as `logError` says.
 */
export function createLogger({ app, level, pretty = false, destination }: CreateLoggerOptions): Logger {
  const prettyStream = pretty ? openPrettyStream(destination) : undefined;
  const options: LoggerOptions = {
    level,
    base: { app },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: logError, error: logError },
    redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '***' },
    hooks: {
      streamWrite: prettyStream
        ? (line) => escapeForTerminal(hideUrlCredentials(line))
        : (line) => escapeBeyondJson(hideUrlCredentials(line)),
    },
  };
  const stream = prettyStream ?? destination;
  return stream ? pino(options, stream) : pino(options);
}

/** Images carry no pino-pretty: then there is no such stream. */
function openPrettyStream(destination: NodeJS.WritableStream | undefined): DestinationStream | undefined {
  const require = createRequire(import.meta.url);
  let build: unknown;
  try {
    build = require('pino-pretty');
  } catch {
    return undefined;
  }
  if (typeof build !== 'function') return undefined;
  return (build as (options: object) => DestinationStream)({
    destination: destination ?? 1,
    sync: true,
    colorize: destination === undefined,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'app',
    messageFormat: '{app}: {msg}',
    singleLine: true,
    errorLikeObjectKeys: [],
  });
}
