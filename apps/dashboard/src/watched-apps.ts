import { z } from 'zod';
import type { WatchedApp } from './config.ts';

const ANSWER_WITHIN_MS = 2_000;
/** However many people look, and however often. */
const ASK_AT_MOST_EVERY_MS = 3_000;

/** What an app says of itself on /readyz. */
export interface AppState {
  readonly name: string;
  readonly ready: boolean;
  /** What it waits for, and why; or why nobody knows. */
  readonly problems: readonly string[];
}

const answerSchema = z.object({
  ready: z.boolean(),
  dependencies: z.record(z.string(), z.object({ ready: z.boolean(), detail: z.string().optional() })),
});

/** The other processes, as they see what they depend on: the dashboard itself speaks to Redis alone. */
export class WatchedApps {
  private readonly apps: readonly WatchedApp[];
  private asked: { readonly at: number; readonly states: Promise<readonly AppState[]> } | undefined;

  constructor(apps: readonly WatchedApp[]) {
    this.apps = apps;
  }

  /** Asks all of them, unless it has just done so. Never throws. */
  async states(): Promise<readonly AppState[]> {
    const now = performance.now();
    if (!this.asked || now - this.asked.at > ASK_AT_MOST_EVERY_MS)
      this.asked = { at: now, states: Promise.all(this.apps.map(stateOf)) };
    return this.asked.states;
  }
}

async function stateOf({ name, url }: WatchedApp): Promise<AppState> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS), redirect: 'error' });
    const { ready, dependencies } = answerSchema.parse(await response.json());
    const waiting = Object.entries(dependencies).filter(([, dependency]) => !dependency.ready);
    return { name, ready, problems: waiting.map(([what, { detail }]) => `${what}: ${detail ?? 'not reached yet'}`) };
  } catch {
    return { name, ready: false, problems: [`does not answer on ${url}/readyz`] };
  }
}
