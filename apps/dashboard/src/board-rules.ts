/** What the dashboard does with a request that changes something. */
export type BoardAction =
  /** Bull Board does it, for operators. */
  | 'pass'
  /** Done here, for operators: Bull Board's own way would be wrong. */
  | 'retry-one'
  | 'retry-all'
  | 'remove-one'
  /** For nobody. */
  | 'refuse';

export interface BoardRule {
  readonly method: 'put' | 'post' | 'patch';
  /** As Bull Board registers it, below its base path. */
  readonly route: string;
  readonly action: BoardAction;
  /** In the log and the audit trail. */
  readonly name: string;
  /** Why it is refused, for the person who asked; or why it is not left to Bull Board. */
  readonly why: string;
}

const Q = '/api/queues/:queueName';
const NO_SCHEDULERS = 'This queue has no job schedulers; the scanner decides what is ingested.';
const NO_RATE_LIMIT = 'The load is set by WORKER_CONCURRENCY and the number of workers, not in Redis.';
const SCANNER_ADDS = 'The scanner would add every file again, in another order and without its history.';

/**
 * Every route of Bull Board's that changes something, in the order in which Bull Board matches them. A test compares the
 * list with the installed version; a route that is not here is refused.
 */
export const BOARD_RULES: readonly BoardRule[] = [
  {
    method: 'put',
    route: '/api/queues/pause',
    action: 'pass',
    name: 'pause',
    why: 'Loses nothing, and the overview says it.',
  },
  { method: 'put', route: '/api/queues/resume', action: 'pass', name: 'resume', why: 'Undoes a pause.' },
  {
    method: 'post',
    route: `${Q}/add`,
    action: 'refuse',
    name: 'add a job',
    why: 'Jobs come from the scanner alone. To have a file again: cdr reingest FILE.',
  },
  {
    method: 'put',
    route: `${Q}/retry/:queueStatus`,
    action: 'retry-all',
    name: 'retry all failed jobs',
    why: "Bull Board's own way keeps the spent attempts and goes newest first.",
  },
  {
    method: 'put',
    route: `${Q}/promote`,
    action: 'refuse',
    name: 'promote all delayed jobs',
    why: 'Delayed jobs come by themselves, after a minute of backoff or when their file is complete. Promote single ones.',
  },
  {
    method: 'put',
    route: `${Q}/clean/:queueStatus`,
    action: 'refuse',
    name: 'clean',
    why: 'It would hide failures and history. Completed jobs go by themselves after a week; failed ones are removed one by one.',
  },
  {
    method: 'put',
    route: `${Q}/pause`,
    action: 'pass',
    name: 'pause',
    why: 'Loses nothing, and the overview says it.',
  },
  { method: 'put', route: `${Q}/resume`, action: 'pass', name: 'resume', why: 'Undoes a pause.' },
  { method: 'put', route: `${Q}/concurrency`, action: 'refuse', name: 'set the concurrency', why: NO_RATE_LIMIT },
  { method: 'put', route: `${Q}/rate-limit`, action: 'refuse', name: 'set a rate limit', why: NO_RATE_LIMIT },
  {
    method: 'put',
    route: `${Q}/rate-limit/release`,
    action: 'refuse',
    name: 'release a rate limit',
    why: NO_RATE_LIMIT,
  },
  { method: 'put', route: `${Q}/empty`, action: 'refuse', name: 'empty the queue', why: SCANNER_ADDS },
  {
    method: 'put',
    route: `${Q}/obliterate`,
    action: 'refuse',
    name: 'obliterate the queue',
    why: `It would delete the queue under the hands of running workers. ${SCANNER_ADDS}`,
  },
  {
    method: 'put',
    route: `${Q}/job-schedulers/:schedulerId/remove`,
    action: 'refuse',
    name: 'remove a scheduler',
    why: NO_SCHEDULERS,
  },
  {
    method: 'patch',
    route: `${Q}/job-schedulers/:schedulerId`,
    action: 'refuse',
    name: 'change a scheduler',
    why: NO_SCHEDULERS,
  },
  {
    method: 'put',
    route: `${Q}/job-schedulers/:schedulerId/run`,
    action: 'refuse',
    name: 'run a scheduler',
    why: NO_SCHEDULERS,
  },
  {
    method: 'put',
    route: `${Q}/:jobId/retry`,
    action: 'retry-one',
    name: 'retry a failed job',
    why: "Bull Board's own way keeps the spent attempts and the stalled counter.",
  },
  {
    method: 'put',
    route: `${Q}/:jobId/clean`,
    action: 'remove-one',
    name: 'remove a failed job',
    why: 'Failed jobs only, whose file is gone for good; the scanner adds any other again.',
  },
  {
    method: 'put',
    route: `${Q}/:jobId/promote`,
    action: 'pass',
    name: 'promote a delayed job',
    why: 'A file that is not complete is put back by the worker.',
  },
  {
    method: 'patch',
    route: `${Q}/:jobId/update-data`,
    action: 'refuse',
    name: 'change the data of a job',
    why: 'The data is what the scanner saw of the file; a worker trusts it.',
  },
  {
    method: 'patch',
    route: `${Q}/:jobId/delay`,
    action: 'refuse',
    name: 'change the delay of a job',
    why: 'A file would wait without anybody seeing why. To have it now, promote it.',
  },
  {
    method: 'patch',
    route: `${Q}/:jobId/priority`,
    action: 'refuse',
    name: 'change the priority of a job',
    why: 'Files are taken in the order of the time in their names.',
  },
  {
    method: 'put',
    route: `${Q}/:jobId/remove-unprocessed-children`,
    action: 'refuse',
    name: 'remove children of a job',
    why: 'Jobs of this queue have no children.',
  },
];
