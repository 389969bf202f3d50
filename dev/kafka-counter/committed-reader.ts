import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { withLock } from '../services/file-lock.ts';
import { fetchKafkaLibs, kafkaClassPath, kafkaLibsDir } from '../services/kafka-libs.ts';
import { ensurePrograms, PROGRAMS, programPath } from '../services/programs.ts';

const run = promisify(execFile);

const SOURCE = path.join(import.meta.dirname, 'CommittedReader.java');
const DEFAULT_DEADLINE_MS = 60_000;

/** A message as Kafka's own consumer sees it under read_committed. */
export interface CommittedMessage {
  topic: string;
  partition: number;
  offset: number;
  /** Milliseconds since 1970. */
  timestamp: number;
  key: string | null;
  value: string | null;
}

/** Messages of one source file in one topic. */
export interface SourceFileCount {
  topic: string;
  sourceFile: string | null;
  count: number;
}

interface Answer {
  lines: string[];
  resolve: (lines: string[]) => void;
  reject: (error: Error) => void;
}

/**
 * The Java program CommittedReader as a long-lived process: it answers one request after the other, so that only the
 * first pays for the start of a JVM. It ends with `stop()`, and by itself when this process is gone.
 */
export class CommittedReader {
  readonly #bootstrapServers: string;
  readonly #java: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiting: Answer[] = [];
  readonly #ended: Promise<void>;
  #stderr = '';
  #endedWith: Error | undefined;

  private constructor(bootstrapServers: string, classPath: string) {
    this.#bootstrapServers = bootstrapServers;
    const jvm = [
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      '-Xshare:auto',
      '-Xmx512m',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=off',
    ];
    const args = [...jvm, '-cp', classPath, 'CommittedReader', '--serve'];
    this.#java = spawn(programPath(PROGRAMS.java), args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#java.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    createInterface({ input: this.#java.stdout, crlfDelay: Infinity }).on('line', (line) => this.#take(line));
    // A write to a process that has ended: its end is reported below.
    this.#java.stdin.on('error', () => {});
    this.#ended = new Promise((resolve) => {
      const end = (reason: string) => {
        this.#endedWith ??= new Error(`CommittedReader ${reason}: ${this.#stderr}`);
        for (const answer of this.#waiting.splice(0)) answer.reject(this.#endedWith);
        resolve();
      };
      this.#java.on('error', (error) => end(error.message));
      this.#java.on('close', (code, signal) => end(`ended (${signal ?? code})`));
    });
  }

  /** Starts the program for a cluster; compiles it first when that has not been done. */
  static async start(bootstrapServers: string, progress: (line: string) => void = () => {}): Promise<CommittedReader> {
    return new CommittedReader(bootstrapServers, await committedReaderClassPath(progress));
  }

  /**
   * All committed messages of the topics, each partition's in its order.
   * @throws when any part could not be read to its end in time, and when transactions stay open
   */
  async read(topics: readonly string[], deadlineMs = DEFAULT_DEADLINE_MS): Promise<CommittedMessage[]> {
    const lines = await this.#ask('read', topics, deadlineMs);
    return lines.map((line) => JSON.parse(line) as CommittedMessage);
  }

  /** How many committed messages each topic has; throws as `read` does. */
  async count(topics: readonly string[], deadlineMs = DEFAULT_DEADLINE_MS): Promise<Record<string, number>> {
    const lines = await this.#ask('count', topics, deadlineMs);
    const counts = lines.map((line) => JSON.parse(line) as { topic: string; count: number });
    return Object.fromEntries(counts.map(({ topic, count }) => [topic, count]));
  }

  /**
   * How many committed messages each source file has in each topic, by the message's `_source_file`; null stands for
   * messages without. A topic with no messages has no entry. Throws as `read` does.
   */
  async countBySourceFile(topics: readonly string[], deadlineMs = DEFAULT_DEADLINE_MS): Promise<SourceFileCount[]> {
    const lines = await this.#ask('count-by-source-file', topics, deadlineMs);
    return lines.map((line) => JSON.parse(line) as SourceFileCount);
  }

  /** Ends the program; requests that are not answered are rejected. */
  async stop(): Promise<void> {
    this.#java.stdin.end();
    if (this.#waiting.length > 0) this.#java.kill('SIGKILL');
    await this.#ended;
  }

  async #ask(
    what: 'read' | 'count' | 'count-by-source-file',
    topics: readonly string[],
    deadlineMs: number,
  ): Promise<string[]> {
    if (topics.length === 0) throw new Error('CommittedReader was asked about no topic.');
    if (this.#endedWith !== undefined) throw this.#endedWith;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ lines: [], resolve, reject });
      this.#java.stdin.write(`${[what, this.#bootstrapServers, deadlineMs, ...topics].join('\t')}\n`);
    });
  }

  #take(line: string): void {
    const [answer] = this.#waiting;
    if (answer === undefined) return;
    if (!line.startsWith('{"done":') && !line.startsWith('{"error":')) {
      answer.lines.push(line);
      return;
    }
    this.#waiting.shift();
    const end = JSON.parse(line) as { error?: string; lines?: number };
    if (end.error !== undefined) answer.reject(new Error(`CommittedReader: ${end.error}`));
    else if (end.lines === answer.lines.length) answer.resolve(answer.lines);
    else answer.reject(new Error(`CommittedReader sent ${answer.lines.length} lines of ${end.lines}.`));
  }
}

/** The class path that runs CommittedReader; compiles it once per version of its source. */
export async function committedReaderClassPath(progress: (line: string) => void): Promise<string> {
  await fetchKafkaLibs(progress);
  const version = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 12);
  const classes = path.join(kafkaLibsDir(), `committed-reader-${version}`);
  const classPath = `${classes}${path.delimiter}${kafkaClassPath()}`;
  if (existsSync(classes)) return classPath;
  await ensurePrograms([PROGRAMS.javac], progress);
  await withLock(`${classes}.lock`, 60_000, async () => {
    if (existsSync(classes)) return;
    const partial = `${classes}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial);
    await run(programPath(PROGRAMS.javac), ['-Xlint:all', '-cp', kafkaClassPath(), '-d', partial, SOURCE]);
    renameSync(partial, classes);
  });
  return classPath;
}
