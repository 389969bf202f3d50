import { parseArgs } from 'node:util';
import { printedMark } from './services/addresses.ts';
import { abandonedInstances, instanceNamed, runningServices } from './services/instance.ts';
import { deleteParts, runningAddresses, startDetachedParts, stopParts } from './services/parts.ts';

const HELP = `Starts OpenSSH (SFTP), Redis and Apache Kafka on free loopback ports and leaves them running.

  npx pnpm services [--brokers 3] [--json]   start what does not run yet, print the addresses
  npx pnpm services status [--json]          say what runs
  npx pnpm services stop [--wipe]            stop them, and what a killed test run has left; --wipe deletes data

The addresses are lines for the shell on stdout, everything else goes to stderr:

  eval "$(npx pnpm --silent services)" && npx pnpm scanner

A part whose address is in the environment (SFTP_HOST and SFTP_PORT, REDIS_URL, KAFKA_BROKERS) is used as it is.
Logs and data are in .dev/services.`;

const instance = instanceNamed('services');

async function start(options: { brokers: 1 | 3; json: boolean }): Promise<void> {
  const { env } = await startDetachedParts({ instance: instance.name, brokers: options.brokers, progress: say });
  printAddresses(env, options.json);
  say(`Running until "npx pnpm services stop". Logs: ${instance.dir}/*/out.log`);
}

function status(options: { json: boolean }): void {
  const running = runningServices(instance);
  for (const { dir, pid } of running) say(`${dir}: process ${pid}`);
  if (running.length === 0) {
    say('Nothing runs.');
    process.exitCode = 1;
    return;
  }
  printAddresses(runningAddresses(instance), options.json);
}

async function stop(options: { wipe: boolean }): Promise<void> {
  let stopped = await stopParts(instance);
  for (const abandoned of abandonedInstances()) stopped += await stopParts(abandoned);
  if (options.wipe) deleteParts(instance);
  say(`${stopped} process(es) stopped${options.wipe ? ', data deleted' : ''}.`);
}

function printAddresses(env: Record<string, string>, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(env, null, 2));
    return;
  }
  for (const [name, value] of Object.entries({ ...env, ...printedMark(env) }))
    console.log(`export ${name}='${value.replaceAll("'", `'\\''`)}'`);
}

function say(line: string): void {
  console.error(line);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      brokers: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      wipe: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [command = 'start', ...rest] = positionals;
  if (values.help) console.log(HELP);
  else if (rest.length > 0) throw new Error(`One command at a time, please.\n\n${HELP}`);
  else if (command === 'start') await start({ brokers: brokerCount(values.brokers), json: values.json });
  else if (command === 'status') status({ json: values.json });
  else if (command === 'stop') await stop({ wipe: values.wipe });
  else throw new Error(`There is no "services ${command}".\n\n${HELP}`);
}

function brokerCount(text: string): 1 | 3 {
  if (text === '1') return 1;
  if (text === '3') return 3;
  throw new Error('--brokers takes 1 or 3.');
}

try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
