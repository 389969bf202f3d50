import { appRoutes } from '@bull-board/api/dist/routes.js';
import { expect, test } from 'vitest';
import { BOARD_RULES } from './board-rules.ts';

test("the table has every route of Bull Board's that changes something, in its order, and no other", () => {
  const theirs = appRoutes.api
    .filter(({ method }) => method !== 'get')
    .map(({ method, route }) => `${String(method)} ${String(route)}`);
  expect(BOARD_RULES.map(({ method, route }) => `${method} ${route}`)).toEqual(theirs);
});

test('what Bull Board calls a look is a look', () => {
  const looks = appRoutes.api.filter(({ method }) => method === 'get').map(({ route }) => String(route));
  expect(looks).toEqual([
    '/api/redis/stats',
    '/api/queues',
    '/api/job-schedulers',
    '/api/queues/:queueName/metrics',
    '/api/queues/:queueName/default-job-options',
    '/api/queues/:queueName/workers',
    '/api/queues/:queueName/rate-limit',
    '/api/queues/:queueName/job-data-schema',
    '/api/queues/:queueName/:jobId/logs',
    '/api/queues/:queueName/:jobId/flow',
    '/api/queues/:queueName/:jobId',
  ]);
});

test('only what loses nothing is left to Bull Board', () => {
  const passed = BOARD_RULES.filter(({ action }) => action === 'pass').map(({ name }) => name);
  expect(passed).toEqual(['pause', 'resume', 'pause', 'resume', 'promote a delayed job']);
});
