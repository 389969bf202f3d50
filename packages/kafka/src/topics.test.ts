import { describe, expect, it } from 'vitest';
import { judgeTopic, planTopics } from './topics.ts';

const config = (settings: Record<string, string> = {}) =>
  new Map(Object.entries({ 'cleanup.policy': 'delete', 'min.insync.replicas': '2', ...settings }));
const compact = (settings: Record<string, string> = {}) => config({ 'cleanup.policy': 'compact', ...settings });

const ONE_REPLICA = 'one replica: the loss of one broker loses it';
const ONE_INSYNC = 'min.insync.replicas=1: an acknowledged row can be lost with one broker';
const UNCLEAN = 'unclean.leader.election.enable=true: acknowledged rows can be lost';

describe('a topic as it is', () => {
  it.each([
    ['records', { partitions: 3, replication: 3, config: config() }, []],
    ['records', { partitions: 1, replication: 3, config: compact() }, []],
    ['records', { partitions: 3, replication: 1, config: config({ 'min.insync.replicas': '1' }) }, [ONE_REPLICA]],
    ['records', { partitions: 3, replication: 3, config: config({ 'min.insync.replicas': '1' }) }, [ONE_INSYNC]],
    ['records', { partitions: 3, replication: 3, config: new Map<string, string>() }, [ONE_INSYNC]],
    [
      'rejects',
      { partitions: 3, replication: 3, config: config({ 'unclean.leader.election.enable': 'true' }) },
      [UNCLEAN],
    ],
    [
      'rejects',
      {
        partitions: 3,
        replication: 1,
        config: config({ 'min.insync.replicas': '1', 'unclean.leader.election.enable': 'true' }),
      },
      [ONE_REPLICA, UNCLEAN],
    ],
    ['ledger', { partitions: 1, replication: 3, config: compact({ 'unclean.leader.election.enable': 'false' }) }, []],
    ['ledger', { partitions: 1, replication: 3, config: compact({ 'min.insync.replicas': '1' }) }, [ONE_INSYNC]],
  ] as const)('%s %j: taken, with warnings %j', (role, found, warnings) => {
    expect(judgeTopic(role, found)).toEqual({ warnings });
  });

  it.each([
    [{ partitions: 2, replication: 3, config: compact() }, 'has 2 partitions; the ledger must have exactly 1'],
    [{ partitions: 0, replication: 3, config: compact() }, 'has 0 partitions; the ledger must have exactly 1'],
    [{ partitions: 1, replication: 3, config: config() }, 'has cleanup.policy=delete'],
    [
      { partitions: 1, replication: 3, config: config({ 'cleanup.policy': 'compact,delete' }) },
      'has cleanup.policy=compact,delete',
    ],
    [{ partitions: 1, replication: 3, config: new Map<string, string>() }, 'has cleanup.policy='],
  ])('ledger %j: refused, %s', (found, refuse) => {
    expect(judgeTopic('ledger', found).refuse).toContain(refuse);
  });
});

describe('the topics of a deployment', () => {
  it('are planned with one partition for the ledger, whatever the others have', () => {
    const settings = {
      recordTopics: ['data', 'voice'],
      rejectsTopic: 'rejects',
      ledgerTopic: 'ledger',
      partitions: 12,
      replication: 3,
    };
    expect(planTopics(settings)).toEqual([
      { topic: 'data', partitions: 12, replication: 3, role: 'records' },
      { topic: 'voice', partitions: 12, replication: 3, role: 'records' },
      { topic: 'rejects', partitions: 12, replication: 3, role: 'rejects' },
      { topic: 'ledger', partitions: 1, replication: 3, role: 'ledger' },
    ]);
  });
});
