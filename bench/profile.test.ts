import { expect, test } from 'vitest';
import { readProfile } from './profile.ts';

const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 9 });
const PROFILE = JSON.stringify({
  startTime: 1_000_000,
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 5, 6] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('decrypt', 'file:///a/node_modules/ssh2/lib/protocol/crypto.js'), children: [4] },
    { id: 4, callFrame: frame('update') },
    { id: 5, callFrame: frame('(garbage collector)') },
    { id: 6, callFrame: frame('append', 'file:///a/packages/kafka/src/record-batch.ts') },
  ],
  samples: [3, 4, 2, 5, 6],
  timeDeltas: [1_000, 2_000, 50_000, 3_000, 4_000],
});

const stageMs = (profile: ReturnType<typeof readProfile>) =>
  Object.fromEntries(profile.stages.filter(({ selfMs }) => selfMs > 0).map(({ stage, selfMs }) => [stage, selfMs]));

test('self time by stage; what has no file belongs to its caller, idle time to nobody', () => {
  const profile = readProfile(PROFILE, { from: 0, to: Infinity });
  expect(stageMs(profile)).toEqual({ 'sftp/crypto': 3, gc: 3, batch: 4 });
  expect(profile.totalMs).toBe(10);
  expect(profile.functions[0]).toEqual({ stage: 'batch', name: 'append kafka/src/record-batch.ts:10', selfMs: 4 });
});

test('only the period that was asked for', () => {
  expect(stageMs(readProfile(PROFILE, { from: 1_002_000, to: 1_056_000 }))).toEqual({ 'sftp/crypto': 2, gc: 3 });
});
