import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** What a worker's CPU time goes into. */
export const STAGES = ['sftp/crypto', 'csv', 'batch', 'produce/network', 'queue', 'gc', 'other'] as const;
export type Stage = (typeof STAGES)[number];

export interface ProfiledFunction {
  readonly stage: Stage;
  /** `name file:line`. */
  readonly name: string;
  readonly selfMs: number;
}

export interface Profile {
  /** Without idle time. */
  readonly totalMs: number;
  readonly stages: readonly { readonly stage: Stage; readonly selfMs: number }[];
  /** The most expensive first. */
  readonly functions: readonly ProfiledFunction[];
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  /** Microseconds of the monotonic clock, as process.hrtime has it. */
  readonly startTime: number;
  readonly samples: readonly number[];
  /** Microseconds between a sample and the one before. */
  readonly timeDeltas: readonly number[];
}

/** The first pattern that fits a function's file says its stage. */
const STAGE_OF_FILE: readonly (readonly [RegExp, Stage])[] = [
  [/packages\/core\/src\/csv\/|\/csv-parse\//, 'csv'],
  [
    /packages\/kafka\/src\/(record-batch|batching-writer|murmur2|buffer-pool|compression)\.ts|\/crc32\/|\/lz4-napi\//,
    'batch',
  ],
  // what sockets are given in one turn goes out behind it, for SFTP and Kafka alike
  [/packages\/kafka\/|packages\/ledger\/|\/kafkajs\/|\/gather-writes\.ts/, 'produce/network'],
  [/packages\/sftp\/|\/ssh2|\/checkpoint-hash\.ts|node:internal\/crypto/, 'sftp/crypto'],
  [/packages\/queue\/|\/bullmq\/|\/ioredis\/|\/redis-parser\/|\/msgpackr/, 'queue'],
];

/** Native functions have no file: they belong to whoever called them. Code of Node itself does, too. */
function ownStage({ functionName, url }: CallFrame): Stage | undefined {
  if (functionName === '(garbage collector)') return 'gc';
  return STAGE_OF_FILE.find(([pattern]) => pattern.test(url))?.[1];
}

/** The part of a profile to look at, by the monotonic clock that all processes of a machine share, in microseconds. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

/** Sums up a `.cpuprofile`: self time by function, and by the stage that the function or its nearest caller belongs to. */
export function readProfile(text: string, { from, to }: Period): Profile {
  const { nodes, startTime, samples, timeDeltas } = JSON.parse(text) as CpuProfile;
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const stageOf = new Map<number, Stage>();
  const children = new Set(nodes.flatMap((node) => node.children ?? []));
  const pending: { node: (typeof nodes)[number]; inherited: Stage }[] = [];
  for (const node of nodes) if (!children.has(node.id)) pending.push({ node, inherited: 'other' });
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const stage = ownStage(next.node.callFrame) ?? next.inherited;
    stageOf.set(next.node.id, stage);
    for (const id of next.node.children ?? []) {
      const node = byId.get(id);
      if (node) pending.push({ node, inherited: stage });
    }
  }

  const functions = new Map<string, { stage: Stage; name: string; selfMs: number }>();
  let at = startTime;
  for (const [i, id] of samples.entries()) {
    at += timeDeltas[i] ?? 0;
    if (at < from || at > to) continue;
    const node = byId.get(id);
    if (!node || node.callFrame.functionName === '(idle)') continue;
    const stage = stageOf.get(id) ?? 'other';
    const name = nameOf(node.callFrame);
    const key = `${stage} ${name}`;
    const entry = functions.get(key) ?? { stage, name, selfMs: 0 };
    entry.selfMs += (timeDeltas[i] ?? 0) / 1000;
    functions.set(key, entry);
  }
  const all = [...functions.values()].sort((a, b) => b.selfMs - a.selfMs);
  const sum = (list: readonly ProfiledFunction[]): number => list.reduce((total, { selfMs }) => total + selfMs, 0);
  return {
    totalMs: sum(all),
    stages: STAGES.map((stage) => ({ stage, selfMs: sum(all.filter((entry) => entry.stage === stage)) })),
    functions: all,
  };
}

/** The one profile that a process has left in a folder. */
export function readProfileIn(dir: string, period: Period): Profile {
  const file = readdirSync(dir).find((name) => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error(`no profile in ${dir}`);
  return readProfile(readFileSync(path.join(dir, file), 'utf8'), period);
}

/** The monotonic clock in microseconds. */
export function monotonicMicros(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  const place = url.replace(/^.*\/(?:node_modules|packages|apps)\//, '').replace(/^file:\/\/.*\//, '');
  return `${functionName || '(anonymous)'}${place ? ` ${place}:${lineNumber + 1}` : ''}`;
}
