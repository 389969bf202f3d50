import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Random } from '../chaos/random.ts';
import type { CommittedReader } from '../kafka-counter/committed-reader.ts';
import { DEV_DIR } from '../services/instance.ts';
import type { Parts } from '../services/parts.ts';
import { expectedOutcome } from './expected-outcome.ts';
import { SUBSCRIBER_NUMBER } from './fuzz-content.ts';
import { FuzzDeployment } from './fuzz-deployment.ts';
import { fuzzFile, roundSettings, type FuzzFile, type RoundSettings } from './fuzz-file.ts';
import { strangeName } from './fuzz-name.ts';
import { byFile, judgeFile } from './judge-file.ts';

const READ_DEADLINE_MS = 120_000;
/** Names in a round that must be left alone. */
const STRANGERS = 12;
/** What is found stays here when the services are gone. */
const FOUND_DIR = path.join(DEV_DIR, 'fuzz-found');

/** What a round has come to. */
export interface RoundResult {
  readonly settings: RoundSettings;
  readonly files: number;
  readonly mutated: number;
  readonly rows: number;
  readonly messages: number;
  readonly rejects: number;
  readonly refused: number;
  /** By code, rejects and refusals. */
  readonly codes: ReadonlyMap<string, number>;
  readonly problems: readonly string[];
}

/** Puts a round's files through the ingester and compares what came out with what the reference parser says. */
export async function fuzzRound(
  parts: Parts,
  java: CommittedReader,
  { seed, files: count }: { readonly seed: number; readonly files: number },
  round: number,
): Promise<RoundResult> {
  const settings = roundSettings(seed, round);
  const deployment = new FuzzDeployment(parts, round, settings);
  const files = Array.from({ length: count }, (_, index) => fuzzFile(seed, round, index, deployment.feeds, settings));
  const strangers = new Random(seed + round);
  for (const { name, stored } of files) deployment.put(Buffer.from(name), stored);
  for (let i = 0; i < STRANGERS; i++)
    deployment.put(strangeName(i, strangers), files[i % files.length]?.content ?? Buffer.alloc(0));
  const onServer = deployment.countFiles();
  const problems: string[] = [];
  try {
    await deployment.start();
    problems.push(...(await deployment.untilDone(files.length)));
    const result = await judgeRound(deployment, java, files, settings, seed, round);
    problems.push(...result.problems, ...(await deployment.audit()));
    if (deployment.countFiles() !== onServer) problems.push('files have gone from the server');
    return { ...result, settings, files: files.length, problems };
  } finally {
    problems.push(...(await deployment.stop()));
  }
}

async function judgeRound(
  deployment: FuzzDeployment,
  java: CommittedReader,
  files: readonly FuzzFile[],
  settings: RoundSettings,
  seed: number,
  round: number,
): Promise<Omit<RoundResult, 'settings' | 'files'>> {
  const { recordTopics, rejectsTopic, ledgerTopic } = deployment.config.topics;
  const messages = await java.read(recordTopics, READ_DEADLINE_MS);
  const rejects = await java.read([rejectsTopic], READ_DEADLINE_MS);
  const found = byFile(messages, rejects, await java.read([ledgerTopic], READ_DEADLINE_MS));
  const failures = await deployment.failures();
  const problems = [...found.problems];
  const codes = new Map<string, number>();
  const add = (code: string): void => void codes.set(code, (codes.get(code) ?? 0) + 1);
  let rows = 0;
  for (const file of files) {
    const expected = expectedOutcome(file.content, file.name, file.feed, settings);
    rows += expected.rows.length;
    for (const row of expected.rows) if (row.kind === 'reject') add(row.code);
    if (expected.refusal !== undefined) add(expected.refusal);
    const inFile = judgeFile(
      expected,
      { ...found.find(file.name), failure: failures.get(file.name) },
      { feed: file.feed.name, topic: file.feed.topic },
    );
    if (inFile.length === 0) continue;
    const saved = save(file, settings, seed, round, inFile);
    problems.push(`${file.kind}${file.mutated ? ', damaged' : ''}, kept in ${saved}:\n    ${inFile.join('\n    ')}`);
  }
  const made = new Set(files.map(({ name }) => name));
  for (const name of [...found.files, ...(await deployment.jobFiles())])
    if (!made.has(name)) problems.push(`something of a file that must be left alone: ${JSON.stringify(name)}`);
  const log = deployment.readLogs();
  problems.push(...log.problems);
  const number = SUBSCRIBER_NUMBER.exec(log.text)?.[0];
  if (number !== undefined) problems.push(`a subscriber number in a log: ${lineWith(log.text, number)}`);
  return {
    mutated: files.filter(({ mutated }) => mutated).length,
    rows,
    messages: messages.length,
    rejects: rejects.length,
    refused: failures.size,
    codes,
    problems,
  };
}

function lineWith(text: string, part: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.includes(part))
      ?.slice(0, 600) ?? ''
  );
}

/** Keeps a file and what is wrong with it; returns where. */
function save(
  file: FuzzFile,
  settings: RoundSettings,
  seed: number,
  round: number,
  problems: readonly string[],
): string {
  const dir = path.join(FOUND_DIR, `seed-${seed}-round-${round}-file-${file.index}`);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, 'content'), file.content);
  writeFileSync(path.join(dir, 'stored'), file.stored);
  const { name, kind, mutated } = file;
  const about = { name, kind, mutated, settings, problems, again: `npx pnpm fuzz --seed ${seed} --round ${round}` };
  writeFileSync(path.join(dir, 'about.json'), `${JSON.stringify(about, null, 2)}\n`);
  return path.relative(process.cwd(), dir);
}
