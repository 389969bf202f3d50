/** What a browser says about where a request comes from. */
export interface OriginHeaders {
  readonly secFetchSite: string | undefined;
  readonly origin: string | undefined;
  /** Of the dashboard, as the browser knows it: host, and port where it is not the default. */
  readonly host: string;
}

/**
 * Why a request that changes something is refused as another site's, or undefined. Sec-Fetch-Site decides where the
 * browser sends it (https, localhost): no page can forge it and no proxy rewrites it. Elsewhere Origin must be ours. A
 * request with neither is not from a browser of today; its sender can add an Origin.
 */
export function foreignOrigin({ secFetchSite, origin, host }: OriginHeaders): string | undefined {
  if (secFetchSite !== undefined)
    return secFetchSite === 'same-origin' ? undefined : 'the request comes from a page of another site';
  if (origin === undefined) return 'the request has neither an Origin nor a Sec-Fetch-Site header';
  if (URL.canParse(origin) && new URL(origin).host === host.toLowerCase()) return undefined;
  return 'the request comes from a page of another site (its Origin is not this host)';
}
