import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../dev/services/free-port.ts';
import { OwnProcess } from '../../dev/services/own-process.ts';
import { PROGRAMS, programPath } from '../../dev/services/programs.ts';
import { redisAnswers } from '../../dev/services/ready-checks.ts';
import type { Authority } from './certificates.ts';

const START_DEADLINE_MS = 15_000;

/** A real Redis with TLS at one port; another lets in whoever comes, as administrator: for the test itself. */
export class SecuredRedis {
  readonly adminUrl: string;
  readonly port: number;
  readonly admin: Redis;
  readonly #process: OwnProcess;

  private constructor(process: OwnProcess, adminPort: number, port: number) {
    this.#process = process;
    this.adminUrl = `redis://127.0.0.1:${adminPort}`;
    this.port = port;
    this.admin = new Redis(this.adminUrl, { lazyConnect: true });
  }

  /** @param dir a folder of its own in that of the instance, so that it is stopped with it whatever happens */
  static async start(dir: string, authority: Authority): Promise<SecuredRedis> {
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(path.join(dir, 'data'), { recursive: true });
    const [adminPort, port] = [await freePort(), await freePort()];
    const { certFile, keyFile } = authority.issue('redis');
    const lines = [
      'bind 127.0.0.1',
      `port ${adminPort}`,
      `tls-port ${port}`,
      `tls-cert-file ${certFile}`,
      `tls-key-file ${keyFile}`,
      `tls-ca-cert-file ${authority.caFile}`,
      'tls-auth-clients no',
      `dir ${path.join(dir, 'data')}`,
      'appendonly yes',
      'maxmemory-policy noeviction',
      'save ""',
      // Keeps the path of this file in the command line, by which the process is recognized as ours.
      'set-proc-title no',
    ];
    writeFileSync(path.join(dir, 'redis.conf'), `${lines.join('\n')}\n`);
    const command = programPath(PROGRAMS.redis);
    const process = new OwnProcess({ name: 'Redis', dir, command, args: [path.join(dir, 'redis.conf')] });
    process.start();
    await process.waitUntilReady(() => redisAnswers('127.0.0.1', adminPort), START_DEADLINE_MS);
    const redis = new SecuredRedis(process, adminPort, port);
    await redis.admin.connect();
    return redis;
  }

  /** The address for a user over TLS. */
  url(user: string, password: string): string {
    return `rediss://${user}:${password}@127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    this.admin.disconnect();
    await this.#process.kill();
  }
}
