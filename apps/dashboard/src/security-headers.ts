import type { RequestHandler } from 'express';

const COMMON = [
  "default-src 'none'",
  "script-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
];

const OWN_PAGES = [...COMMON, "style-src 'self'", "img-src 'self'", "base-uri 'none'"].join('; ');

/** Bull Board's libraries make style elements and style attributes, and its page has a <base>. */
const BULL_BOARD = [
  ...COMMON,
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "base-uri 'self'",
].join('; ');

const HEADERS = {
  'Content-Security-Policy': OWN_PAGES,
  // job data and file names are nobody else's business, a shared computer's cache included
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  // not `no-referrer`: browsers then send `Origin: null` with the login form
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'X-Robots-Tag': 'noindex, nofollow',
} as const;

/** On every answer, errors and redirects too. */
export const securityHeaders: RequestHandler = (_req, res, next) => {
  res.set(HEADERS);
  next();
};

/** Loosens the policy where Bull Board needs it, and lets its static files be kept by the browser alone. */
export const boardHeaders: RequestHandler = (req, res, next) => {
  res.set('Content-Security-Policy', BULL_BOARD);
  if (req.path.startsWith('/static/')) res.set('Cache-Control', 'private, max-age=3600');
  next();
};
