/** The parts the ingester needs. */
export type PartName = 'sshd' | 'redis' | 'kafka';

/** Variables of the parts that are there already. */
export type Addresses = Partial<Record<PartName, Record<string, string>>>;

// The first names are what says that a part is there already; the others belong to it.
const VARIABLES: Record<PartName, { needed: readonly string[]; optional: readonly string[] }> = {
  sshd: {
    needed: ['SFTP_HOST', 'SFTP_PORT'],
    optional: ['SFTP_USER', 'SFTP_PASSWORD', 'SFTP_PRIVATE_KEY_FILE', 'SFTP_REMOTE_PATH', 'SFTP_HOST_KEY'],
  },
  redis: { needed: ['REDIS_URL'], optional: [] },
  kafka: { needed: ['KAFKA_BROKERS'], optional: ['TOPIC_REPLICATION'] },
};

/**
 * The parts whose addresses the environment gives already, each with its variables. A part is given only when all the
 * variables that make its address are set and not empty: half an address would mix two servers.
 */
export function addressesInEnvironment(env: NodeJS.ProcessEnv): Addresses {
  const given: Addresses = {};
  for (const part of Object.keys(VARIABLES) as PartName[]) {
    const { needed, optional } = VARIABLES[part];
    if (!needed.every((name) => env[name])) continue;
    given[part] = Object.fromEntries(
      [...needed, ...optional].flatMap((name) => (env[name] ? [[name, env[name]]] : [])),
    );
  }
  return given;
}
