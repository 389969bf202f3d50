/** What a part of the data path does when it has the machine to itself. */
export interface AloneResult {
  readonly records: number;
  readonly megabytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** The line in which a program of the benchmark tells its result. */
export function tellResult(result: AloneResult): void {
  console.log(JSON.stringify({ msg: 'result', ...result }));
}

/** Runs `work`, which answers how many megabytes it moved, and takes the time of it. */
export async function measureAlone(records: number, work: () => Promise<number> | number): Promise<AloneResult> {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  const megabytes = await work();
  const { user, system } = process.cpuUsage(before);
  return { records, megabytes, seconds: (performance.now() - startedAt) / 1000, cpuSeconds: (user + system) / 1e6 };
}
