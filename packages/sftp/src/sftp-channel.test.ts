import { EventEmitter } from 'node:events';
import { CdrError, errorCodeOf } from '@cdr/core/errors';
import type { SFTPWrapper } from 'ssh2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SftpChannel } from './sftp-channel.ts';

const EOF = 1;
const FAILURE = 4;
const REGULAR = 0o100644;

type Page = readonly string[] | number;

/** A server that answers READDIRs with pages of names, or with a status, when it is told to. */
class ListingServer extends EventEmitter {
  readonly closed: string[] = [];
  readonly unanswered: ((page: Page) => void)[] = [];

  opendir(_path: string, answer: (error: undefined, handle: Buffer) => void): void {
    answer(undefined, Buffer.from('a handle'));
  }

  readdir(_handle: Buffer, answer: (error: Error | undefined, list?: object[]) => void): void {
    this.unanswered.push((page) => {
      if (typeof page === 'number') answer(Object.assign(new Error('status'), { code: page }));
      else
        answer(
          undefined,
          page.map((filename) => ({ filename, longname: '', attrs: { mode: REGULAR, size: 1, mtime: 1 } })),
        );
    });
  }

  close(handle: Buffer, answer: () => void): void {
    this.closed.push(handle.toString());
    answer();
  }

  /** Answers the oldest, or another of those that wait. */
  answer(page: Page, which = 0): void {
    const [answer] = this.unanswered.splice(which, 1);
    if (!answer) throw new Error('nothing was asked');
    answer(page);
  }

  answerAll(page: Page): void {
    while (this.unanswered.length > 0) this.answer(page);
  }
}

function open(): { server: ListingServer; channel: SftpChannel } {
  const server = new ListingServer();
  const none = () => Promise.resolve();
  const channel = new SftpChannel(
    server as unknown as SFTPWrapper,
    { rename: none, remove: none },
    { answerTimeoutMs: 60_000, onSilent: () => undefined, onLost: () => undefined },
  );
  onTestFinished(() => channel.lose(new CdrError('sftp-unavailable', 'the test is over')));
  return { server, channel };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const namesOf = (entries: readonly { name: string }[]) => entries.map(({ name }) => name);

describe('a listing', () => {
  it('has each name once, from whichever page, and closes its handle behind everything that was asked', async () => {
    const { server, channel } = open();
    const listing = channel.list('/in');
    await turn();
    const asked = server.unanswered.length;
    expect(asked).toBeGreaterThan(1);
    server.answer(['a', 'b', 'a']);
    server.answer(['b', 'c']);
    await turn();
    expect(server.unanswered.length).toBe(asked);
    server.answerAll(EOF);
    expect(namesOf(await listing)).toEqual(['a', 'b', 'c']);
    expect([server.closed, server.unanswered]).toEqual([['a handle'], []]);
  });

  it('is whole when a server answers in another order: the end before the last page', async () => {
    const { server, channel } = open();
    const listing = channel.list('/in');
    await turn();
    server.answer(EOF);
    await turn();
    server.answer(['late']);
    server.answerAll(EOF);
    expect(namesOf(await listing)).toEqual(['late']);
  });

  it('that nobody wants to its end leaves the channel as it was', async () => {
    const { server, channel } = open();
    const first = (async () => {
      for await (const page of channel.listPages('/in')) return namesOf(page);
      return [];
    })();
    await turn();
    server.answer(['a']);
    expect(await first).toEqual(['a']);
    expect(server.closed).toEqual(['a handle']);
    server.answerAll(EOF);
    const again = channel.list('/in');
    await turn();
    server.answer(['b']);
    await turn();
    server.answerAll(EOF);
    expect(namesOf(await again)).toEqual(['b']);
  });

  it('fails with what a page fails with, and nothing is left behind', async () => {
    const { server, channel } = open();
    const listing = channel.list('/in');
    await turn();
    server.answer(['a']);
    server.answerAll(FAILURE);
    await expect(listing).rejects.toThrow(/^listing \/in: /);
    expect(server.closed).toEqual(['a handle']);
  });

  it('is over when the channel is lost, whatever was asked', async () => {
    const { server, channel } = open();
    const listing = channel.list('/in').catch((error: unknown) => errorCodeOf(error));
    await turn();
    server.answer(['a']);
    server.emit('close');
    expect(await listing).toBe('sftp-unavailable');
  });
});
