import { CdrError } from '@cdr/core/errors';
import type { SftpSettings } from './sftp-settings.ts';

/** Status codes of SFTP version 3 (draft-ietf-secsh-filexfer-02, section 7). */
export const SFTP_STATUS = {
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  noConnection: 6,
  connectionLost: 7,
} as const;

const AVAILABILITY_HINT = 'Check that the SFTP server is up and that SFTP_HOST and SFTP_PORT name it';

/** The SFTP status an error of ssh2 carries; undefined when the server gave none, as on a lost connection. */
export function sftpStatusOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

/**
 * What a failed operation on the server means. `what` says the operation and its object ("opening /upload/a.csv").
 * An error without an SFTP status comes from the connection: the server is away.
 */
export function toSftpError(what: string, error: unknown): CdrError {
  if (error instanceof CdrError) return error;
  const text = textOf(error);
  const status = sftpStatusOf(error);
  switch (status) {
    case SFTP_STATUS.noSuchFile:
      return new CdrError('file-vanished', `${what}: there is no such file`, { cause: error });
    case SFTP_STATUS.permissionDenied:
      return new CdrError('sftp-permission', `${what}: the SFTP server denies permission`, {
        hint: 'Give the SFTP user (SFTP_USER) the rights to it, and to the directories above it',
        cause: error,
      });
    case undefined:
    case SFTP_STATUS.noConnection:
    case SFTP_STATUS.connectionLost:
      return error instanceof TypeError || error instanceof RangeError
        ? new CdrError('unexpected', `${what}: ${text}`, { cause: error })
        : new CdrError('sftp-unavailable', `${what}: ${text}`, { hint: AVAILABILITY_HINT, cause: error });
    default:
      return new CdrError('unexpected', `${what}: the SFTP server answers "${text}" (status ${status})`, {
        cause: error,
      });
  }
}

/** What is known about a connection that did not come about. */
export interface ConnectFailure {
  readonly error: unknown;
  /** Key type and fingerprint that were not the pinned ones. */
  readonly refusedHostKey?: string | undefined;
  /** The server's identity was established and the login had begun. */
  readonly loggingIn: boolean;
}

/** Says why there is no connection, and what to do about it. */
export function toConnectError(settings: SftpSettings, failure: ConnectFailure): CdrError {
  const { error, refusedHostKey } = failure;
  if (error instanceof CdrError) return error;
  const server = `${settings.host}:${settings.port}`;
  const cause = error;
  if (refusedHostKey !== undefined) {
    const expected = settings.hostKey === 'any' ? 'any' : settings.hostKey.join(' or ');
    return new CdrError(
      'sftp-host-key',
      `the SFTP server ${server} shows the host key ${refusedHostKey}, expected ${expected}; not connected`,
      {
        hint:
          'Ask the operator of the server whether its key is this one. If so, set SFTP_HOST_KEY to this fingerprint, or ' +
          'put the key into SFTP_KNOWN_HOSTS_FILE, and restart; if not, somebody may be listening in between',
        cause,
      },
    );
  }
  const text = textOf(error);
  if (/^Cannot parse privateKey|does not contain a \(valid\) private key/.test(text))
    return new CdrError('sftp-auth', `the private key for the SFTP server cannot be used: ${text}`, {
      hint: 'Check the file in SFTP_PRIVATE_KEY_FILE and SFTP_PRIVATE_KEY_PASSPHRASE',
      cause,
    });
  if (isLoginRefusal(error, failure.loggingIn))
    return new CdrError('sftp-auth', `the SFTP server ${server} refuses the login of ${settings.user}`, {
      hint:
        settings.privateKey === undefined
          ? 'Check SFTP_USER and SFTP_PASSWORD'
          : 'Check SFTP_USER and SFTP_PRIVATE_KEY_FILE, and that the server has the public key of it',
      cause,
    });
  return new CdrError('sftp-unavailable', `cannot connect to the SFTP server ${server}: ${text}`, {
    hint: AVAILABILITY_HINT,
    cause,
  });
}

function isLoginRefusal(error: unknown, loggingIn: boolean): boolean {
  if (!(error instanceof Error)) return false;
  if ('level' in error && error.level === 'client-authentication') return true;
  // OpenSSH disconnects instead of refusing once more when MaxAuthTries is reached
  return loggingIn && /authentication/i.test(error.message);
}

function textOf(error: unknown): string {
  // what a name with several addresses, none of which answers, ends with; it has no message
  if (error instanceof AggregateError && error.message === '') return error.errors.map(textOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
