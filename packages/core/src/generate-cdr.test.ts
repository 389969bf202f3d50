import { expect, it } from 'vitest';
import { transformFile } from './csv/testing/transform-file.ts';
import { builtInFeeds } from './feeds.ts';
import { generateCdrFiles } from './generate-cdr.ts';

const FEEDS = builtInFeeds({ dataTopic: 'cdr-data', voiceTopic: 'cdr-voice' });

it('every generated row passes the checks of its feed, and has no value that is unknown', () => {
  for (const { feed: name, rows, content } of generateCdrFiles({ files: 4, rowsPerFile: 2_000, seed: 3 })) {
    const feed = FEEDS.find((each) => each.name === name);
    if (!feed) throw new Error(`no feed ${name}`);
    expect([feed.columns.join(), 'msisdn']).toEqual([
      content.toString('utf8', 0, content.indexOf('\r')),
      feed.keyColumn,
    ]);
    const { messages, rejects, unknownValues } = transformFile(content, {
      keyColumn: 'msisdn',
      requiredColumns: feed.columns,
      checks: feed.checks,
    });
    expect({ messages: messages.length, rejects, unknownValues }).toEqual({
      messages: rows,
      rejects: [],
      unknownValues: {},
    });
  }
});
