import { describe, expect, it } from 'vitest';
import { afterIngestProblem, parseAfterIngest } from './after-ingest.ts';

describe('AFTER_INGEST', () => {
  it.each([
    ['keep', { kind: 'keep' }],
    ['delete', { kind: 'delete' }],
    ['move:/done', { kind: 'move', dir: '/done' }],
    ['move:/done/today//', { kind: 'move', dir: '/done/today' }],
  ])('%s', (value, policy) => {
    expect(parseAfterIngest(value)).toEqual(policy);
  });

  it.each([
    ['keep', '/upload', 0],
    ['move:/done', '/upload', 0],
    ['move:/upload-done', '/upload', 0],
    ['move:/upload', '/upload', 1],
    ['move:/upload/', '/upload', 1],
    ['move:/upload/done', '/upload/', 1],
  ])('%s with SFTP_REMOTE_PATH=%s has %i problems', (value, remotePath, problems) => {
    expect(afterIngestProblem(value, remotePath)).toHaveLength(problems);
  });
});
