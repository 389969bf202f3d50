/** A family of files: which names belong to it, the columns its header must have, and the topic its records go to. */
export interface Feed {
  /** Also the `_record_type` of every message. */
  readonly name: 'data' | 'voice';
  readonly pattern: RegExp;
  /** Required columns; more are kept, and their order is free. */
  readonly columns: readonly string[];
  /** The column whose value is the message key. */
  readonly keyColumn: string;
  readonly topic: string;
}

export interface FeedTopics {
  readonly dataTopic: string;
  readonly voiceTopic: string;
}

/** The two built-in feeds, with the topics of this deployment. */
export function builtInFeeds({ dataTopic, voiceTopic }: FeedTopics): readonly Feed[] {
  return [
    {
      name: 'data',
      pattern: /^cdr_data_.*\.csv$/s,
      columns: [
        'msisdn',
        'tower_id',
        'up_bytes',
        'down_bytes',
        'data_type',
        'ip_address',
        'website_url',
        'event_datetime',
      ],
      keyColumn: 'msisdn',
      topic: dataTopic,
    },
    {
      name: 'voice',
      pattern: /^cdr_voice_.*\.csv$/s,
      columns: ['msisdn', 'tower_id', 'call_type', 'dest_nr', 'call_duration_sec', 'start_time'],
      keyColumn: 'msisdn',
      topic: voiceTopic,
    },
  ];
}

/** The feed that claims a file name, or undefined when none does. */
export function matchFeed(feeds: readonly Feed[], fileName: string): Feed | undefined {
  return feeds.find((feed) => feed.pattern.test(fileName));
}
