import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { gatherWrites } from './gather-writes.ts';

/** Notes each call that would be a system call. */
class NotedSink extends Writable {
  readonly calls: string[][] = [];

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.calls.push(chunks.map(({ chunk }) => chunk.toString()));
    done();
  }

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.calls.push([chunk.toString()]);
    done();
  }
}

it('sends what is written in one turn by one call, in order, whoever corks in between', async () => {
  const sink = gatherWrites(new NotedSink());
  sink.write('a');
  await Promise.resolve();
  sink.cork();
  sink.write('b');
  sink.uncork();
  sink.write('c');
  expect(sink.calls).toEqual([]);
  await turn();
  expect(sink.calls).toEqual([['a', 'b', 'c']]);
  sink.write('d');
  await turn();
  expect(sink.calls).toEqual([['a', 'b', 'c'], ['d']]);
});

it('loses nothing of a socket that ends in the same turn', async () => {
  const sink = gatherWrites(new NotedSink());
  sink.write('a');
  sink.end('b');
  await turn();
  expect(sink.calls.flat()).toEqual(['a', 'b']);
});

it('leaves a socket alone that is destroyed in the same turn', async () => {
  const sink = gatherWrites(new NotedSink());
  sink.write('a');
  sink.destroy();
  await turn();
  expect(sink.calls).toEqual([]);
});
