import { expect, test } from 'vitest';
import { readCommittedRecords } from './committed-records.ts';
import { LedgerLog } from './testing/ledger-log.ts';

const range = (producerId: number, first: number, last: number) => ({
  topic: 'cdr-rejects',
  partition: 0,
  first: String(first),
  last: String(last),
  producerId: String(producerId),
  epoch: 0,
});
const row = (text: string) => ({ file: 'a.csv', text });

async function valuesOf(log: LedgerLog, asked: ReturnType<typeof range>): Promise<(string | undefined)[]> {
  const records = await Array.fromAsync(readCommittedRecords(log, asked));
  return records.map(({ value }) => value?.toString());
}

test("gives the producer's committed records of the range, in order, and nobody else's", async () => {
  const log = new LedgerLog();
  log.append(1, row('before'));
  log.commit(1);
  const first = log.append(1, row('one'));
  log.append(2, row('other'));
  log.append(3, row('aborted'));
  const last = log.append(1, row('two'));
  log.abort(3);
  log.commit(2);
  log.commit(1);
  log.append(1, row('after'));
  log.commit(1);
  log.answerMaxBytes = 150;
  expect(await valuesOf(log, range(1, first, last))).toEqual(['one', 'two']);
  expect(await valuesOf(log, range(3, first, last))).toEqual([]);
});

test('leaves out what has expired, what is hidden, and what is not there', async () => {
  const log = new LedgerLog();
  const first = log.append(1, row('expired'));
  const second = log.append(1, row('there'));
  log.commit(1);
  log.append(2, row('open'));
  const hidden = log.append(1, row('hidden'));
  log.commit(1);
  log.startOffset = second;
  expect(await valuesOf(log, range(1, first, second))).toEqual(['there']);
  expect(await valuesOf(log, range(1, hidden, hidden))).toEqual([]);
  expect(await valuesOf(log, range(1, 500, 600))).toEqual([]);
});
