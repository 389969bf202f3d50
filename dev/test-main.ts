import { parseCLI, startVitest, type TestModule, type Vitest } from 'vitest/node';

const HELP = `Runs the tests; on a real sshd, Redis and Kafka, which it starts and stops, unless --unit is given.

  npx pnpm test [FILTER...] [vitest's options]     all tests, or those in files whose path contains a FILTER
  npx pnpm test:unit [FILTER...]                   only those that need no service
  npx pnpm test:chaos [FILTER...]                  the crash matrix, a quarter of an hour, which the first leaves out

The last line is "N passed, N failed".`;

/** Vitest's projects of each kind of run. */
const RUNS = {
  all: {
    projects: ['unit', 'real'],
    says: 'Running all tests, on a real sshd, Redis and Kafka in .dev/test (fetched when missing, stopped at the end).',
  },
  unit: { projects: ['unit'], says: 'Running the unit tests, which need no service.' },
  chaos: { projects: ['chaos'], says: 'Running the crash matrix, on a real sshd, Redis and Kafka in .dev/chaos.' },
};

/** How a run came out. */
interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

async function main(args: string[]): Promise<void> {
  if (args.includes('--help')) {
    console.log(HELP);
    return;
  }
  const run = args.includes('--unit') ? RUNS.unit : args.includes('--chaos') ? RUNS.chaos : RUNS.all;
  console.log(run.says);
  // pnpm hands on the "--" of "pnpm test -- FILTER".
  const rest = args.filter((arg) => !['--unit', '--chaos', '--'].includes(arg));
  const { filter, options } = parseCLI(['vitest', 'run', ...rest]);
  const vitest = await startVitest(filter, { project: run.projects, ...options, watch: false });
  const tally = count(vitest);
  await vitest.close();
  report(tally, vitest.state.getUnhandledErrors().length);
}

function count(vitest: Vitest): Tally {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const module of vitest.state.getTestModules()) countModule(module, tally);
  return tally;
}

function countModule(module: TestModule, tally: Tally): void {
  const failedBefore = tally.failed;
  for (const test of module.children.allTests()) {
    // A test that never came to run, because a hook before it failed, is no success.
    const { state } = test.result();
    tally[state === 'pending' ? 'failed' : state] += 1;
  }
  // A file that cannot be loaded has no tests that could fail.
  if (!module.ok() && tally.failed === failedBefore) tally.failed += 1;
}

function report({ passed, failed, skipped }: Tally, unhandledErrors: number): void {
  if (skipped > 0) console.log(`${skipped} skipped`);
  if (unhandledErrors > 0) console.log(`${unhandledErrors} error(s) outside of tests, see above`);
  if (passed + failed === 0) console.log('No test ran, which counts as a failure.');
  if (failed > 0 || unhandledErrors > 0 || passed === 0) process.exitCode = 1;
  console.log(`${passed} passed, ${failed + unhandledErrors} failed`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
// Whatever a test has left open must not keep a finished run alive.
setTimeout(() => process.exit(), 2_000).unref();
