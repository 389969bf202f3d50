import { expect, test } from 'vitest';
import { foreignOrigin } from './same-origin.ts';

const host = 'cdr.example.com:3000';

test.each([
  ['a page of ours', 'same-origin', `https://${host}`],
  ['a page of ours, behind a proxy that changes the host', 'same-origin', 'https://cdr.example.com'],
  ['a page of ours over plain http, where browsers send no Sec-Fetch-Site', undefined, `http://${host}`],
  ['the same in capitals', undefined, 'http://CDR.example.com:3000'],
])('%s is let through', (_what, secFetchSite, origin) => {
  expect(foreignOrigin({ secFetchSite, origin, host })).toBeUndefined();
});

test.each([
  ['another site', 'cross-site', `https://${host}`],
  ['another name of the same domain', 'same-site', 'https://other.example.com'],
  ['an address typed in, which is no form', 'none', undefined],
  ['another site over plain http', undefined, 'http://evil.example.com'],
  ['another port', undefined, 'http://cdr.example.com:3001'],
  ['a sandboxed frame', undefined, 'null'],
  ['what is no address', undefined, 'cdr.example.com:3000'],
  ['something that is no browser of today', undefined, undefined],
])('%s is refused', (_what, secFetchSite, origin) => {
  expect(foreignOrigin({ secFetchSite, origin, host })).toMatch(/page of another site|neither/);
});
