import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { inject } from 'vitest';
import { instanceNamed } from '../../dev/services/instance.ts';
import { openParts, type Parts } from '../../dev/services/parts.ts';
import { SftpFiles } from './sftp-files.ts';

type Handles = Required<Pick<Parts, 'redis' | 'sshd' | 'kafka'>>;

/** What one test has for itself on the parts that all tests share: names and a directory that nobody else uses. */
export class TestWorld {
  /** Short and unique; part of every name here, and for names of the test's own. */
  readonly id = `t${randomBytes(5).toString('hex')}`;
  readonly topics = {
    data: `${this.id}-data`,
    voice: `${this.id}-voice`,
    rejects: `${this.id}-rejects`,
    ledger: `${this.id}-ledger`,
  };
  readonly redisPrefix = this.id;
  /** The ingester's environment variables for this test: the addresses and the names above. */
  readonly env: Record<string, string>;
  readonly #parts: Parts;
  readonly #files: SftpFiles | undefined;

  /**
   * Makes the directory on the SFTP server and nothing else: topics are made by whoever needs them.
   * @param parts the ones all tests share unless the test has started its own
   */
  constructor(parts: Parts = sharedParts()) {
    const remotePath = path.posix.join(parts.env.SFTP_REMOTE_PATH ?? '/upload', this.id);
    this.#parts = parts;
    this.#files = parts.sshd && new SftpFiles(path.join(parts.sshd.uploadDir, this.id), remotePath);
    this.env = {
      ...parts.env,
      SFTP_REMOTE_PATH: remotePath,
      REDIS_PREFIX: this.redisPrefix,
      CDR_DATA_TOPIC: this.topics.data,
      CDR_VOICE_TOPIC: this.topics.voice,
      CDR_REJECTS_TOPIC: this.topics.rejects,
      CDR_LEDGER_TOPIC: this.topics.ledger,
    };
  }

  get redisUrl(): string {
    return this.env.REDIS_URL ?? '';
  }

  get brokers(): string[] {
    return (this.env.KAFKA_BROKERS ?? '').split(',');
  }

  /** The test's directory on the SFTP server. */
  get files(): SftpFiles {
    return ours('SFTP_HOST', this.#files);
  }

  /** To kill, freeze and restart it. A test that does leaves it running for the next one; so for the two below. */
  get redis(): Handles['redis'] {
    return ours('REDIS_URL', this.#parts.redis);
  }

  get sshd(): Handles['sshd'] {
    return ours('SFTP_HOST', this.#parts.sshd);
  }

  get kafka(): Handles['kafka'] {
    return ours('KAFKA_BROKERS', this.#parts.kafka);
  }
}

/** Handles on the parts that the project's global setup has started. */
export function sharedParts(): Parts {
  return openParts(instanceNamed(inject('parts').instance));
}

function ours<T>(variable: string, handle: T | undefined): T {
  if (handle !== undefined) return handle;
  throw new Error(`This test needs a service of its own; unset ${variable} in the environment.`);
}
