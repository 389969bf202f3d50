import { afterAll, beforeAll, inject } from 'vitest';
import { CommittedReader, type CommittedMessage } from '../../dev/kafka-counter/committed-reader.ts';

/** Kafka's own consumer under read_committed: the independent judge of what is in a topic. */
export interface JavaConsumer {
  /** All committed messages of the topics; throws when they cannot be read to their ends or transactions stay open. */
  read(topics: string | readonly string[], deadlineMs?: number): Promise<CommittedMessage[]>;
  /** How many committed messages the topics have together; throws as `read` does. */
  count(topics: string | readonly string[], deadlineMs?: number): Promise<number>;
}

/**
 * Call it at the top of a test file or a describe: it starts one Java process for the tests in it, ends it after them.
 * @param brokers another cluster than the one all tests share, when the tests start their own
 */
export function useJavaConsumer(brokers?: () => string): JavaConsumer {
  let reader: CommittedReader | undefined;
  beforeAll(async () => {
    reader = await CommittedReader.start(brokers?.() ?? inject('parts').env.KAFKA_BROKERS ?? '');
  });
  afterAll(() => reader?.stop());
  const started = () => {
    if (reader === undefined) throw new Error('The Java consumer is there within tests only.');
    return reader;
  };
  return {
    read: async (topics, deadlineMs) => started().read([topics].flat(), deadlineMs),
    count: async (topics, deadlineMs) => {
      const counts = await started().count([topics].flat(), deadlineMs);
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
  };
}
