import { describe, expect, test } from 'vitest';
import { CdrError } from '@cdr/core/errors';
import type { Logger } from './logger.ts';
import { logOutages, Outages, readiness, type OutageEvent } from './outages.ts';

const AWAY = new CdrError('kafka-unavailable', 'no broker');
const NEVER = new AbortController().signal;

function outagesWith(kafka: () => Promise<void>, reportEveryMs = 60_000) {
  const events: OutageEvent[] = [];
  const fine = (): Promise<void> => Promise.resolve();
  const over = Promise.withResolvers<void>();
  const outages = new Outages({
    probes: { sftp: fine, redis: fine, kafka },
    report: (event) => {
      events.push(event);
      if (event.state === 'back') over.resolve();
    },
    probeEveryMs: 5,
    reportEveryMs,
  });
  return { outages, events, over: over.promise };
}

describe('Outages', () => {
  test('one probe at a time, however many wait; all go on when it answers', async () => {
    let probes = 0;
    let underWay = 0;
    const { outages, events, over } = outagesWith(async () => {
      expect(++underWay).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      if (++probes < 3) throw new Error('still no broker');
    });
    await Promise.all(Array.from({ length: 50 }, () => outages.untilBack('kafka', AWAY, NEVER)));
    expect(probes).toBe(3);
    expect(readiness(outages, true).kafka.ready).toBe(false);
    await over;
    expect(readiness(outages, true)).toEqual({ sftp: { ready: true }, kafka: { ready: true }, redis: { ready: true } });
    expect(events.map(({ state }) => state)).toEqual(['away', 'back']);
  });

  test('an error that no probe sees is one long outage, not a new one at every try', async () => {
    const { outages, events, over } = outagesWith(() => Promise.resolve(), 12);
    for (let tries = 0; tries < 10; tries++) await outages.untilBack('kafka', AWAY, NEVER);
    expect(events.filter(({ state }) => state === 'away')).toHaveLength(1);
    expect(events.some(({ state }) => state === 'still-away')).toBe(true);
    expect(events.some(({ state }) => state === 'back')).toBe(false);
    await over;
    expect(events.at(-1)?.state).toBe('back');
  });

  test('a server that was away and is there now, but not to be used, is reported as that, once', async () => {
    let probes = 0;
    const { outages, events, over } = outagesWith(() => {
      probes++;
      if (probes > 6) return Promise.resolve();
      const refused = new CdrError('kafka-auth', 'refused');
      return Promise.reject(probes < 2 || probes === 4 ? AWAY : refused);
    });
    await outages.untilBack('kafka', AWAY, NEVER);
    await over;
    expect(events.map(({ state, code, problem }) => [state, code, problem])).toEqual([
      ['away', 'kafka-unavailable', 'no broker'],
      ['away', 'kafka-auth', 'refused'],
      ['back', 'kafka-auth', 'refused'],
    ]);
  });

  test('says what is wrong, and stops waiting on shutdown', async () => {
    const { outages } = outagesWith(() => Promise.reject(new Error('still no broker')));
    const shutdown = new AbortController();
    const waiting = outages.untilBack('kafka', AWAY, shutdown.signal);
    expect(outages.problems().get('kafka')).toBe('no broker');
    shutdown.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'shutdown' });
    outages.close();
  });

  test('untilDone repeats a step until it succeeds', async () => {
    let tries = 0;
    const { outages, over } = outagesWith(() => Promise.resolve());
    await outages.untilDone('kafka', () => (++tries < 3 ? Promise.reject(AWAY) : Promise.resolve()), NEVER);
    expect(tries).toBe(3);
    await over;
  });
});

test('what is away is a warning; what waits for somebody is an error', () => {
  const lines: string[] = [];
  const level = (name: string) => (_: object, message: string) => lines.push(`${name} ${message}`);
  const log = { info: level('info'), warn: level('warn'), error: level('error') } as unknown as Logger;
  const report = logOutages(log, () => undefined);
  const event = { dependency: 'sftp', forMs: 60_000, problem: 'why' } as const;
  report({ ...event, state: 'away', code: 'sftp-unavailable' });
  report({ ...event, state: 'still-away', code: 'sftp-unavailable' });
  report({ ...event, state: 'away', code: 'sftp-host-key' });
  report({ ...event, state: 'still-away', code: 'sftp-host-key' });
  report({ ...event, state: 'back', code: 'sftp-host-key' });
  expect(lines).toEqual([
    'warn the SFTP server is away, waiting for it: why',
    'warn the SFTP server is away, waiting since 60 s: why',
    'error the SFTP server cannot be used as it is, waiting for it: why',
    'error the SFTP server cannot be used as it is, waiting since 60 s: why',
    'info the SFTP server is back after 60 s',
  ]);
});
