import type { ConnectionOptions } from 'node:tls';

/** Where the queue and the projection live. The URL may carry a password; never log it. */
export interface RedisSettings {
  readonly url: string;
  /** First part of every key; one a deployment. */
  readonly prefix: string;
  /** For `rediss://`: whom to trust and who we are. Without it, whom the system trusts. */
  readonly tls?: ConnectionOptions;
}
