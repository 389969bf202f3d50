import { Writable } from 'node:stream';
import { CdrError } from '@cdr/core/errors';
import { expect, test, vi } from 'vitest';
import { createLogger, type CreateLoggerOptions } from './logger.ts';

function capture(options: Partial<CreateLoggerOptions> = {}) {
  const lines: string[] = [];
  const log = createLogger({
    app: 'worker',
    level: 'info',
    ...options,
    destination: new Writable({
      write(line, _encoding, done) {
        lines.push(String(line));
        done();
      },
    }),
  });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
}

test('a line is one JSON object with app, level word, ISO time and message', () => {
  const { log, lines, last } = capture();
  log.info({ files: 3 }, 'scanned');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\{.*\}\n$/);
  expect(last()).toMatchObject({ app: 'worker', level: 'info', msg: 'scanned', files: 3 });
  expect(last()['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('the level is obeyed', () => {
  const { log, lines } = capture({ level: 'warn' });
  log.info('no');
  log.warn('yes');
  expect(lines).toHaveLength(1);
});

test('secrets are hidden, by key and in URLs', () => {
  const { log, lines } = capture();
  log.info({ password: 'hunter2', sftp: { passphrase: 'hunter2', more: { token: 'hunter2' } } }, 'settings');
  log.child({ secret: 'hunter2' }).info('redis://user:hunter2@redis:6379/0 does not answer');
  log.error({ err: new Error('connecting to rediss://:hunter2@redis:6379') }, 'failed');
  expect(lines.join('')).not.toContain('hunter2');
  expect(lines.join('')).toContain('redis://***@redis:6379/0');
});

test('a foreseen error shows code, hint and causes but no stack', () => {
  const { log, last } = capture();
  const cause = new Error('refused', { cause: new Error('ECONNREFUSED') });
  log.warn({ err: new CdrError('sftp-unavailable', 'cannot connect', { hint: 'Check it', cause }) }, 'away');
  expect(last()['err']).toEqual({
    type: 'CdrError',
    code: 'sftp-unavailable',
    message: 'cannot connect',
    hint: 'Check it',
    causes: ['refused', 'ECONNREFUSED'],
  });
});

test('an unexpected error shows its stack and what caused it, and nothing else that hangs on it', () => {
  const { log, last } = capture();
  const error = Object.assign(new TypeError('x is not a function', { cause: new Error('why') }), {
    request: { body: 'subscriber' },
  });
  log.error(error);
  expect(last()['err']).toMatchObject({ type: 'TypeError', message: 'x is not a function', causes: ['why'] });
  expect((last()['err'] as { stack: string }).stack).toMatch(/logger\.test\.ts[^]*caused by: Error: why/);
  expect(JSON.stringify(last())).not.toContain('subscriber');
  log.error({ error: new CdrError('unexpected', 'odd') }, 'failed');
  expect((last()['error'] as { stack: string }).stack).toContain('odd');
});

test('an error that is its own cause does not loop', () => {
  const { log, last } = capture();
  const error = new Error('round');
  error.cause = error;
  log.error({ err: error }, 'failed');
  expect(last()['msg']).toBe('failed');
});

test('a file name cannot add a line or drive the terminal', async () => {
  const file = 'a\u001b[31mred\r\n{"level":"info","msg":"forged"}\u009b31m\u202e.csv';
  const json = capture();
  json.log.info({ file }, `took ${file}`);
  expect(json.lines).toHaveLength(1);
  expect(json.lines[0]?.trimEnd()).not.toMatch(/[\n\r\u001b]/);

  const pretty = capture({ pretty: true });
  pretty.log.info({ file }, `took ${file}`);
  // pino-pretty is a stream of its own
  await vi.waitFor(() => expect(pretty.lines).not.toEqual([]));
  const text = pretty.lines.join('');
  expect(text).toContain('worker: took a\\u001b[31mred\\u000d\\u000a');
  expect(text.trimEnd()).not.toMatch(/[\n\r\u001b\u009b\u202e]/);
});
