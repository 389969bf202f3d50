/**
 * Why a TLS connection did not come about:
 * - `untrusted`: the other side's certificate is not one that we trust, has run out, or is for another name
 * - `refused`: the other side does not take our certificate, or misses one
 * - `no-tls`: what answers there does not speak TLS that we understand
 */
export type TlsTrouble = 'untrusted' | 'refused' | 'no-tls';

/**
 * Pure: what a code of Node's or OpenSSL's says; undefined for one that is not of TLS. They are the X.509 verification
 * results of https://nodejs.org/api/tls.html#x509-certificate-error-codes, and OpenSSL's reasons behind `ERR_SSL_`.
 */
export function tlsTroubleOf(code: unknown): TlsTrouble | undefined {
  if (typeof code !== 'string') return undefined;
  if (UNTRUSTED.has(code)) return 'untrusted';
  if (/^ERR_SSL_\S*ALERT_\S*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code)) return 'refused';
  return code === 'EPROTO' || code.startsWith('ERR_SSL_') ? 'no-tls' : undefined;
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_NOT_YET_VALID',
  'CERT_HAS_EXPIRED',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'HOSTNAME_MISMATCH',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);
