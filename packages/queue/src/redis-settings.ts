/** Where the queue and the projection live. The URL may carry a password; never log it. */
export interface RedisSettings {
  readonly url: string;
  /** First part of every key; one a deployment. */
  readonly prefix: string;
}
