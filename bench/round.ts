import type { Usage } from './measured-process.ts';

/** What one run over a set of files took. */
export interface Round {
  readonly files: number;
  readonly records: number;
  /** From the first job in the queue to the last file done. */
  readonly seconds: number;
  readonly recordsPerSecond: number;
  readonly filesPerSecond: number;
  readonly cpuSecondsPerMillion: number;
  /** The same with the start of the process: loading the program, connecting, creating topics. */
  readonly cpuSecondsPerMillionWithStart: number;
  readonly cpuMsPerFile: number;
  readonly peakRssMb: number;
  /** Of the minute before the round. */
  readonly loadBefore: number;
  /** Why the round does not count: what arrived is not what was sent. Empty when all is right. */
  readonly problems: readonly string[];
}

export interface RoundTimes {
  readonly files: number;
  readonly records: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly atReady: Usage;
  readonly atEnd: Usage;
  readonly loadBefore: number;
}

/** Times are ms since 1970. */
export function roundOf(times: RoundTimes, problems: readonly string[]): Round {
  const { files, records, atReady, atEnd } = times;
  const seconds = (times.endedAt - times.startedAt) / 1000;
  const cpuSeconds = atEnd.cpuSeconds - atReady.cpuSeconds;
  return {
    files,
    records,
    seconds,
    recordsPerSecond: records / seconds,
    filesPerSecond: files / seconds,
    cpuSecondsPerMillion: (cpuSeconds / records) * 1e6,
    cpuSecondsPerMillionWithStart: (atEnd.cpuSeconds / records) * 1e6,
    cpuMsPerFile: (cpuSeconds / files) * 1000,
    peakRssMb: atEnd.peakRssMb,
    loadBefore: times.loadBefore,
    problems,
  };
}
