import { expect, test } from 'vitest';
import { addressesInEnvironment } from './addresses.ts';

test('nothing is given by an empty environment, nor by half an address', () => {
  expect(addressesInEnvironment({})).toEqual({});
  expect(addressesInEnvironment({ SFTP_HOST: 'example.com', REDIS_URL: '' })).toEqual({});
});

test('a part that is given brings its own variables and none of another part', () => {
  const env = { SFTP_HOST: 'h', SFTP_PORT: '22', SFTP_USER: 'u', KAFKA_BROKERS: 'b:9092', PATH: '/bin' };
  expect(addressesInEnvironment(env)).toEqual({
    sshd: { SFTP_HOST: 'h', SFTP_PORT: '22', SFTP_USER: 'u' },
    kafka: { KAFKA_BROKERS: 'b:9092' },
  });
});
