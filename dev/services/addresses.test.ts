import { expect, test } from 'vitest';
import { addressesInEnvironment, printedMark } from './addresses.ts';

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

test('what our own services have printed into the shell is not taken for given', () => {
  const printed = { SFTP_HOST: '127.0.0.1', SFTP_PORT: '20001', REDIS_URL: 'redis://a:1', KAFKA_BROKERS: 'a:1,a:2' };
  const shell = { ...printed, ...printedMark(printed) };
  expect(addressesInEnvironment(shell)).toEqual({});
  expect(addressesInEnvironment({ ...shell, REDIS_URL: 'redis://b:1' })).toEqual({
    redis: { REDIS_URL: 'redis://b:1' },
  });
});
