import { expect, test } from 'vitest';
import { tlsTroubleOf } from './tls-trouble.ts';

test.each([
  ['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'untrusted'],
  ['CERT_HAS_EXPIRED', 'untrusted'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'untrusted'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'refused'],
  ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'refused'],
  ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'refused'],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'refused'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'no-tls'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'no-tls'],
  ['EPROTO', 'no-tls'],
  ['ECONNRESET', undefined],
  [undefined, undefined],
  [29, undefined],
])('%s: %s', (code, trouble) => {
  expect(tlsTroubleOf(code)).toBe(trouble);
});
