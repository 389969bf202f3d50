/** The parts the ingester needs. */
export type PartName = 'sshd' | 'redis' | 'kafka';

/** Variables of the parts that are there already. */
export type Addresses = Partial<Record<PartName, Record<string, string>>>;

// The needed ones together are a part's address; the optional ones belong to it.
const VARIABLES: Record<PartName, { needed: readonly string[]; optional: readonly string[] }> = {
  sshd: {
    needed: ['SFTP_HOST', 'SFTP_PORT'],
    optional: ['SFTP_USER', 'SFTP_PASSWORD', 'SFTP_PRIVATE_KEY_FILE', 'SFTP_REMOTE_PATH', 'SFTP_HOST_KEY'],
  },
  redis: { needed: ['REDIS_URL'], optional: [] },
  kafka: { needed: ['KAFKA_BROKERS'], optional: ['TOPIC_REPLICATION'] },
};

const PARTS = Object.keys(VARIABLES) as PartName[];

// Names the addresses that `services` has printed into a shell. Without it, a shell that has evaluated them would find
// them "in the environment" for ever, when the services are stopped and for the tests, which need their own.
const PRINTED = 'CDR_DEV_SERVICES';

/**
 * The parts whose addresses the environment gives already, each with its variables. A part is given only when all the
 * variables that make its address are set and not empty: half an address would mix two servers.
 */
export function addressesInEnvironment(env: NodeJS.ProcessEnv): Addresses {
  const printed = (env[PRINTED] ?? '').split(' ');
  const given: Addresses = {};
  for (const part of PARTS) {
    const { needed, optional } = VARIABLES[part];
    const address = addressOf(part, env);
    if (address === undefined || printed.includes(address)) continue;
    given[part] = Object.fromEntries(
      [...needed, ...optional].flatMap((name) => (env[name] ? [[name, env[name]]] : [])),
    );
  }
  return given;
}

/** The variable to print beside the addresses of our own services, by which they are not taken for somebody else's. */
export function printedMark(env: Record<string, string>): Record<string, string> {
  return { [PRINTED]: PARTS.flatMap((part) => addressOf(part, env) ?? []).join(' ') };
}

function addressOf(part: PartName, env: NodeJS.ProcessEnv): string | undefined {
  const values = VARIABLES[part].needed.map((name) => env[name]);
  return values.every(Boolean) ? values.join(':') : undefined;
}
