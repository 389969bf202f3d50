import { builtInFeeds } from '@cdr/core/feeds';
import { compressorFor, type Compression } from '@cdr/kafka/compression';
import { measureAlone, tellResult } from './alone.ts';
import { BatchFiller, givenFile, transformFile } from './encode-file.ts';

/**
 * The CSV step over a file in memory, into nothing; with BENCH_BATCHES also the record batches, sealed and with their
 * checksum, thrown away.
 */
const [feed] = builtInFeeds({ dataTopic: 'data', voiceTopic: 'voice' });
if (feed === undefined) throw new Error('no feed');
const file = givenFile();
const rows = Number(process.env['BENCH_ROWS']);
const compressor = compressorFor((process.env['COMPRESSION'] ?? 'none') as Compression);

const filler = new BatchFiller(3, (batch) => {
  batch.seal(compressor);
  batch.stamp({ producerId: 1n, epoch: 0 }, 0, 0);
  batch.release();
});
const result = await measureAlone(rows, () => {
  const messages = transformFile(file, feed, (block) => {
    if (process.env['BENCH_BATCHES']) filler.add(block);
  });
  filler.finish();
  if (messages !== rows) throw new Error(`${messages} messages of ${rows} rows`);
  return file.length / 1e6;
});
tellResult(result);
