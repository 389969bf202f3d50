import { setTimeout as delay } from 'node:timers/promises';

/** How long to try and how often. */
export interface PollOptions {
  deadlineMs?: number;
  intervalMs?: number;
}

/**
 * Asks again and again until there is a result: anything but undefined, null and false. What `ask` throws counts as
 * "not yet".
 * @param what completes the sentence "Waited 60000 ms for ...", which is the error after the deadline
 * @returns the result
 */
export async function pollUntil<T>(
  what: string,
  ask: () => T | Promise<T>,
  { deadlineMs = 60_000, intervalMs = 20 }: PollOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = Date.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const result = await ask();
      if (isResult(result)) return result;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const reason = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`Waited ${deadlineMs} ms for ${what}${reason}`, { cause: last });
    }
    await delay(intervalMs);
  }
}

function isResult<T>(result: T): result is Exclude<T, undefined | null | false> {
  return result !== undefined && result !== null && result !== false;
}
