import { jobIdOf } from '@cdr/core/job-id';
import { UnrecoverableError } from 'bullmq';
import { expect, test } from 'vitest';
import { BOARD_RULES } from '../../apps/dashboard/src/board-rules.ts';
import { AppProcess } from '../support/app-process.ts';
import { DashboardScenario, OPERATOR, VIEWER } from '../support/dashboard-client.ts';
import { pollUntil } from '../support/poll-until.ts';

const PATIENT = { deadlineMs: 60_000, intervalMs: 100 };
/** Markup, an escape sequence that clears a terminal, and a mark that turns the direction of text. */
const EVIL = `cdr_<img src=x onerror=alert(1)>"'&\u001b[2J\u202egnp.csv`;

test('without a login there is nothing but the form', async () => {
  const dashboard = await new DashboardScenario().start();
  for (const path of [
    '/',
    '/audit',
    '/queues',
    '/queues/',
    '/queues/queue/cdr-files',
    '/queues/static/favicon.ico',
    '/x',
  ])
    expect(await dashboard.ask(path), path).toMatchObject({
      status: 303,
      text: expect.not.stringContaining('<table') as string,
    });
  for (const path of ['', '/f-x', '/f-x/logs']) expect((await dashboard.board('GET', path)).status, path).toBe(401);
  expect((await dashboard.ask('/queues/api/queues')).status).toBe(401);
  for (const { method, route } of BOARD_RULES) {
    const path = `/queues${route.replace(':queueName', 'cdr-files').replace(/:\w+/g, 'failed')}`;
    expect((await dashboard.ask(path, { method: method.toUpperCase() })).status, path).toBe(401);
  }
  const forged = { headers: { cookie: `cdr_session=${'A'.repeat(43)}` } };
  expect((await dashboard.ask('/', forged)).headers.get('location')).toBe('/login');
  expect((await dashboard.ask('/login')).text).toContain('name="password"');
});

test('a login opens the pages, a logout closes them', async () => {
  const dashboard = await new DashboardScenario().start();
  const answer = await dashboard.tryLogin(OPERATOR);
  expect(answer).toMatchObject({ status: 303 });
  expect(answer.headers.get('set-cookie')).toMatch(
    /^cdr_session=[\w-]{43}; Max-Age=\d+; Path=\/; .*HttpOnly; SameSite=Strict$/,
  );

  const operator = await dashboard.as(OPERATOR);
  expect((await operator.ask('/')).text).toContain('Log out');
  expect((await operator.ask('/queues/')).status).toBe(200);
  expect((await operator.ask('/login')).headers.get('location')).toBe('/');
  expect((await operator.ask('/logout', { method: 'POST' })).headers.get('location')).toBe('/login');
  expect((await operator.ask('/')).headers.get('location')).toBe('/login');
});

test('a wrong password opens nothing, and ten of them close the door to that address', async () => {
  const dashboard = await new DashboardScenario().start({ DASHBOARD_PROXIES: '1' });
  const from = (address: string) => ({ 'x-forwarded-for': address });
  for (let i = 0; i < 10; i++) {
    const { status, text, headers } = await dashboard.tryLogin({ ...OPERATOR, password: 'wrong' }, from('192.0.2.7'));
    expect(status).toBe(401);
    expect(text).toContain('wrong');
    expect(headers.get('set-cookie')).toBeNull();
  }
  const limited = await dashboard.tryLogin(OPERATOR, from('192.0.2.7'));
  expect(limited.status).toBe(429);
  expect(limited.text).toContain('Try again in 15 minutes');
  expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(800);
  expect((await dashboard.tryLogin(OPERATOR, from('192.0.2.8'))).status).toBe(303);

  const metrics = await (await fetch(`${await dashboard.app.healthUrl()}/metrics`)).text();
  expect(metrics).toContain('cdr_dashboard_logins_total{result="wrong",app="dashboard"} 10');
  expect(metrics).toContain('cdr_dashboard_logins_total{result="limited",app="dashboard"} 1');
  expect(metrics).toContain('cdr_dashboard_logins_total{result="ok",app="dashboard"} 1');
});

test('behind a proxy that speaks https the cookie is for https alone', async () => {
  const dashboard = await new DashboardScenario().start({ DASHBOARD_PROXIES: '1' });
  const https = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.7', 'sec-fetch-site': 'same-origin' };
  expect((await dashboard.tryLogin(OPERATOR, https)).headers.get('set-cookie')).toContain('; Secure');
});

test('without proxies nobody can claim to be somewhere else', async () => {
  const dashboard = await new DashboardScenario().start();
  await dashboard.tryLogin(
    { user: 'x', password: 'wrong' },
    { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https' },
  );
  expect(await dashboard.app.untilMessage(/login failed/)).toMatchObject({ from: '127.0.0.1' });
});

test('what changes something is refused when it comes from another site', async () => {
  const scenario = new DashboardScenario();
  const jobId = await scenario.addFailed('cdr_data_20241201.csv');
  const operator = await (await scenario.start()).as(OPERATOR);
  const retry = (headers: Record<string, string>) =>
    operator.ask(`/queues/api/queues/cdr-files/${jobId}/retry`, { method: 'PUT', headers });

  expect((await retry({ origin: 'https://evil.example' })).status).toBe(403);
  expect((await retry({ origin: 'null' })).status).toBe(403);
  expect((await retry({ 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await retry({ origin: '' })).status).toBe(403);
  const add = { method: 'POST', headers: { origin: 'https://evil.example', 'content-type': 'text/plain' }, body: '{}' };
  expect((await operator.ask('/queues/api/queues/cdr-files/add', add)).status).toBe(403);
  expect((await operator.tryLogin(OPERATOR, { origin: 'https://evil.example' })).status).toBe(403);
  expect((await operator.ask('/logout', { method: 'POST', headers: { origin: 'https://evil.example' } })).status).toBe(
    403,
  );
  expect(await scenario.queue.getJobState(jobId)).toBe('failed');
  expect((await retry({})).status).toBe(204);
});

test('every answer has the security headers and names no framework', async () => {
  const operator = await (await new DashboardScenario().start()).as(OPERATOR);
  for (const path of [
    '/',
    '/audit',
    '/login',
    '/queues/',
    '/queues/api/queues',
    '/nowhere',
    '/assets/dashboard.css',
    '/%ff',
  ]) {
    const { headers } = await operator.ask(path);
    expect(headers.get('content-security-policy'), path).toMatch(
      /default-src 'none'.*script-src 'self';.*frame-ancestors 'none'/,
    );
    expect(headers.get('x-content-type-options'), path).toBe('nosniff');
    expect(headers.get('x-frame-options'), path).toBe('DENY');
    expect(headers.get('referrer-policy'), path).toBe('same-origin');
    expect(headers.get('x-powered-by'), path).toBeNull();
    expect(headers.get('etag'), path).toBeNull();
    expect(headers.get('cache-control'), path).toBe('no-store');
  }
  expect((await operator.ask('/')).headers.get('content-security-policy')).not.toContain('unsafe');
  expect((await operator.ask('/queues/')).text).not.toMatch(/(?:href|src)="https?:/);
  expect((await operator.ask('/', { method: 'DELETE' })).status).toBe(405);
});

test('a retry gives all attempts back, forgets stalls, and is in the audit trail after a restart', async () => {
  const scenario = new DashboardScenario();
  const jobId = await scenario.addFailed('cdr_data_20241201.csv');
  await scenario.redis.hset(scenario.queue.toKey(jobId), 'stc', '9');
  const dashboard = await scenario.start();
  const operator = await dashboard.as(OPERATOR);

  expect(JSON.parse((await operator.board('GET', `/${jobId}`)).text)).toMatchObject({
    status: 'failed',
    job: { name: 'cdr_data_20241201.csv', failedReason: 'bad-header: cdr_data_20241201.csv line 1', attempts: 1 },
  });
  expect(JSON.parse((await operator.board('GET', `/${jobId}/logs`)).text)).toEqual([
    'attempt at cdr_data_20241201.csv',
  ]);

  expect((await operator.board('PUT', `/${jobId}/retry`)).status).toBe(204);
  expect(await scenario.queue.getJobState(jobId)).toBe('waiting');
  expect(await scenario.queue.getJob(jobId)).toMatchObject({ attemptsMade: 0, attemptsStarted: 0, stalledCounter: 0 });
  expect(await scenario.redis.hget(scenario.queue.toKey(jobId), 'stc')).toBeNull();
  expect((await operator.board('PUT', `/${jobId}/retry`)).text).toContain('it is waiting');
  expect((await operator.board('PUT', `/${jobIdOf('nowhere')}/retry`)).status).toBe(404);
  expect(await dashboard.app.untilMessage(/retry a failed job/)).toMatchObject({
    level: 'info',
    who: 'operator',
    from: '127.0.0.1',
    detail: jobId,
  });
  expect(await dashboard.app.metric('cdr_dashboard_retries_total')).toBe(1);
  expect(await dashboard.app.end()).toBe(0);

  const after = await (await scenario.start()).as(OPERATOR);
  const { text } = await after.ask('/audit');
  expect(text).toMatch(new RegExp(`operator[\\s\\S]*127\\.0\\.0\\.1[\\s\\S]*retry a failed job[\\s\\S]*${jobId}`));
});

test('all failed jobs are retried, those that failed first first', async () => {
  const scenario = new DashboardScenario();
  const files = Array.from({ length: 130 }, (_, i) => `cdr_data_${1000 + i}.csv`);
  for (const file of files) await scenario.add(file);
  await scenario.work(() => {
    throw new UnrecoverableError('bad-header: line 1');
  });
  const operator = await (await scenario.start()).as(OPERATOR);
  expect(JSON.parse((await operator.board('PUT', '/retry/failed')).text)).toEqual({ retried: 130, skipped: 0 });
  expect(await scenario.work(() => undefined)).toEqual(files);
  expect((await operator.ask('/audit')).text).toContain('130 retried, 0 skipped');
  // the page cuts what is long; the trail has each job
  const trail = JSON.stringify(await scenario.redis.xrange(`${scenario.world.redisPrefix}:audit`, '-', '+'));
  expect(files.filter((file) => !trail.includes(jobIdOf(file)))).toEqual([]);
  expect(JSON.parse((await operator.board('PUT', '/retry/failed')).text)).toEqual({ retried: 0, skipped: 0 });

  const completed = await operator.board('PUT', '/retry/completed');
  expect(completed.status).toBe(403);
  expect(completed.text).toContain('cdr reingest');
  expect((await operator.board('PUT', `/${jobIdOf(files[0] as string)}/retry`)).status).toBe(409);
  expect(await scenario.queue.getJobCounts('completed', 'wait')).toMatchObject({ completed: 130, wait: 0 });
});

test('what would forget, forge or hold up files is refused with the reason, and changes nothing', async () => {
  const scenario = new DashboardScenario();
  const failed = await scenario.addFailed('cdr_data_1.csv');
  const delayed = await scenario.add('cdr_data_2.csv', { delay: 600_000 });
  const waiting = await scenario.add('cdr_data_3.csv');
  const operator = await (await scenario.start()).as(OPERATOR);
  const before = await scenario.queue.getJobCounts();

  for (const { method, route, action, why } of BOARD_RULES) {
    if (action !== 'refuse') continue;
    for (const jobId of [failed, delayed, waiting]) {
      const path = route.replace('/api/queues/:queueName', '').replace(':jobId', jobId).replace(/:\w+/, 'failed');
      const { status, text } = await operator.board(method.toUpperCase(), path, {});
      expect(status, `${method} ${path}`).toBe(403);
      expect(JSON.parse(text), path).toEqual({ error: { key: 'ERRORS.FORBIDDEN' }, message: why });
    }
  }
  expect((await operator.board('PUT', '/surprise')).status).toBe(403);
  expect((await operator.board('POST', '/add?x', {})).status).toBe(403);
  expect((await operator.board('PUT', `/${waiting}/clean`)).status).toBe(409);
  expect(await scenario.queue.getJobCounts()).toEqual(before);
  expect((await operator.ask('/audit')).text).toContain('refused: obliterate the queue');
});

test('a failed job can be removed, a delayed one promoted, and the queue paused for a while', async () => {
  const scenario = new DashboardScenario();
  const failed = await scenario.addFailed('cdr_data_1.csv');
  const delayed = await scenario.add('cdr_data_2.csv', { delay: 600_000 });
  const operator = await (await scenario.start()).as(OPERATOR);

  expect((await operator.board('PUT', `/${failed}/clean`)).status).toBe(204);
  expect(await scenario.queue.getJob(failed)).toBeUndefined();
  expect((await operator.board('PUT', `/${delayed}/promote`)).status).toBe(204);
  expect(await scenario.queue.getJobState(delayed)).toBe('waiting');
  expect((await operator.board('PUT', `/${delayed}/promote`)).status).toBe(409);
  expect((await operator.board('PUT', '/pause')).status).toBe(200);
  expect(await scenario.queue.isPaused()).toBe(true);
  expect((await operator.ask('/')).text).toContain('The queue is paused');
  expect((await operator.board('PUT', '/resume')).status).toBe(200);
  expect((await operator.ask('/')).text).not.toContain('The queue is paused');
  const { text } = await operator.ask('/audit');
  for (const what of ['remove a failed job', 'promote a delayed job', 'pause', 'resume']) expect(text).toContain(what);
});

test('the second login looks at everything and changes nothing', async () => {
  const scenario = new DashboardScenario();
  const jobId = await scenario.addFailed('cdr_data_1.csv');
  const viewer = await (await scenario.start()).as(VIEWER);
  for (const path of ['/', '/audit', '/queues/', '/queues/queue/cdr-files'])
    expect((await viewer.ask(path)).status).toBe(200);
  expect(JSON.parse((await viewer.ask('/queues/api/queues?activeQueue=cdr-files')).text)).toMatchObject({
    queues: [{ readOnlyMode: true, allowRetries: false, jobs: [{ id: jobId }] }],
  });
  for (const { method, route } of BOARD_RULES) {
    const path = route.replace('/api/queues/:queueName', '').replace(':jobId', jobId).replace(/:\w+/, 'failed');
    const { status, text } = await viewer.board(method.toUpperCase(), path, {});
    expect(status, `${method} ${path}`).toBe(403);
    expect(text).toContain('may look only');
  }
  expect(await scenario.queue.getJobState(jobId)).toBe('failed');
  expect(await scenario.queue.isPaused()).toBe(false);
});

test('what strangers write stays inert on every page, in answers and in the log', async () => {
  const scenario = new DashboardScenario();
  const jobId = await scenario.addFailed(EVIL, `file-vanished: ${EVIL} <script>alert(2)</script>`);
  const dashboard = await scenario.start();
  await dashboard.tryLogin({ user: `<b>\u001b[31m\n{"level":"info"}\u009b`, password: 'wrong' });
  const operator = await dashboard.as(OPERATOR);
  await pollUntil('Redis to be reached', async () => (await operator.ask('/')).status === 200, PATIENT);

  for (const path of ['/', '/audit']) {
    const { text } = await operator.ask(path);
    expect(text, path).not.toMatch(/<img src=x|<script>alert|<b>\\u001b/);
    expect(text, path).not.toMatch(/[\u001b\u009b\u202e]/);
  }
  expect((await operator.ask('/')).text).toContain(
    '&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;\\u001b[2J\\u202egnp.csv',
  );
  for (const path of [
    '/queues/api/queues?activeQueue=cdr-files',
    `/queues/api/queues/cdr-files/${jobId}`,
    `/queues/api/queues/cdr-files/${jobId}/logs`,
  ]) {
    const { text, headers } = await operator.ask(path);
    expect(headers.get('content-type')).toContain('application/json');
    expect(JSON.stringify(JSON.parse(text)), path).not.toMatch(/\\u001b(?<!\\\\u001b)|\u202e/);
    expect(text, path).toContain('onerror');
  }
  expect((await operator.board('PUT', `/${jobId}/retry`)).status).toBe(204);
  const line = await dashboard.app.untilMessage(/login failed/);
  expect(line.msg).toBe('login failed by "<b>\\u001b[31m\\u000a{"level":"info"}\\u009b" from 127.0.0.1');
});

test('the overview shows jobs, files, and what the apps say of their dependencies', async () => {
  const scenario = new DashboardScenario();
  await scenario.addFailed('cdr_data_bad.csv');
  await scenario.add('cdr_data_good.csv');
  await scenario.work(() => undefined);
  const record = (file: string, extra = {}) =>
    JSON.stringify({
      ...{ v: 1, file, feed: 'data', state: 'committed', topic: 'cdr-data', generation: 1, size: 10, mtimeMs: 1 },
      ...{ sha256: 'x', byteOffset: 10, rows: 3, messages: 2, rejects: 1, ranges: [], producerId: '1', epoch: 0 },
      ...{ attempt: 1, jobId: jobIdOf(file), worker: 'w', startedAt: '', committedAt: '', ...extra },
    });
  const changed = { size: 4_321, mtimeMs: 2, sha256: 'y', seenAt: '2024-12-07T15:23:45.000Z' };
  await scenario.redis.hset(`${scenario.world.redisPrefix}:ledger`, {
    'cdr_data_good.csv': `1 ${record('cdr_data_good.csv')}`,
    'cdr_data_changed.csv': `2 ${record('cdr_data_changed.csv', { changed })}`,
  });
  const watched = await scenario.start();
  const operator = await (
    await scenario.start({ DASHBOARD_WATCH: `other=${await watched.app.healthUrl()},gone=http://127.0.0.1:1` })
  ).as(OPERATOR);
  const page = (await operator.ask('/')).text.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
  expect(page).toContain('bad-header: cdr_data_bad.csv line 1');
  expect(page).toMatch(/1 failed/);
  expect(page).toMatch(/1 completed/);
  expect(page).toMatch(/2 ingested/);
  expect(page).toMatch(/1 changed since/);
  expect(page).toMatch(/cdr_data_changed\.csv 10 B 4,321 B 2024-12-07 15:23:45/);
  expect(page).toMatch(/cdr_data_good\.csv ingested 3 1/);
  expect(page).toMatch(/other ready/);
  expect(page).toMatch(/gone does not answer/);
  expect(page).toMatch(/Scanner no scan for a while/);
});

test('while Redis is away every page says so, and comes back by itself', async () => {
  const scenario = new DashboardScenario();
  const dashboard = await scenario.start();
  const operator = await dashboard.as(OPERATOR);
  const health = await dashboard.app.healthUrl();
  const status = async (path: string) => (await operator.ask(path)).status;
  expect(await status('/')).toBe(200);
  await scenario.world.redis.kill();
  try {
    for (const path of ['/', '/audit', '/queues/', '/queues/api/queues']) {
      const { status, text, headers } = await operator.ask(path);
      expect(status, path).toBe(503);
      expect(text).toContain('cannot reach Redis');
      expect(headers.get('retry-after')).toBe('5');
    }
    expect((await fetch(`${health}/readyz`)).status).toBe(503);
    expect((await fetch(`${health}/healthz`)).status).toBe(200);
    // nobody is logged out, and whoever comes now can log in
    expect((await dashboard.tryLogin(OPERATOR)).status).toBe(303);
  } finally {
    await scenario.world.redis.restart();
  }
  for (const path of ['/', '/audit', '/queues/', '/queues/api/queues'])
    await pollUntil(`${path} to come back`, async () => (await status(path)) === 200, PATIENT);
  expect((await fetch(`${health}/readyz`)).status).toBe(200);
});

test('without Redis it starts, says so, and leaves within five seconds', async () => {
  const dashboard = await new DashboardScenario().start({ REDIS_URL: 'redis://127.0.0.1:1' });
  const operator = await dashboard.as(OPERATOR);
  expect((await operator.ask('/')).status).toBe(503);
  expect((await operator.ask('/queues/api/queues')).status).toBe(503);
  const asked = Date.now();
  expect(await dashboard.app.end()).toBe(0);
  expect(Date.now() - asked).toBeLessThan(5_000);
});

test('with wrong settings it ends at once and names all of them', async () => {
  const app = AppProcess.start('dashboard', {
    REDIS_URL: 'nowhere',
    DASHBOARD_PASSWORD: 'short',
    DASHBOARD_PROXIES: '-1',
    METRICS_PORT: '0',
  });
  expect(await app.ended()).toBe(2);
  const said = await pollUntil('what it says', () => app.other.length >= 4 && app.other.join('\n'));
  for (const name of ['REDIS_URL', 'DASHBOARD_PASSWORD', 'DASHBOARD_PROXIES']) expect(said).toContain(name);
  expect(said).not.toContain('short');
});

test('without a password one is made up, and said once', async () => {
  const dashboard = await new DashboardScenario().start({ DASHBOARD_PASSWORD: '' });
  const said = dashboard.app.lines.flatMap(({ msg }) => /"operator" logs in with (\S+)$/.exec(msg ?? '')?.[1] ?? []);
  expect(said).toHaveLength(1);
  expect((await dashboard.tryLogin({ user: 'operator', password: said[0] ?? '' })).status).toBe(303);
  expect((await dashboard.tryLogin({ user: 'operator', password: '' })).status).toBe(401);
});
