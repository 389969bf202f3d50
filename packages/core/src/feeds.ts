import type { FieldChecks } from './csv/field-checks.ts';

/** A family of files: which names belong to it, the columns its header must have, and the topic its records go to. */
export interface Feed {
  /** Also the `_record_type` of every message. */
  readonly name: 'data' | 'voice';
  readonly pattern: RegExp;
  /** Required columns; more are kept, and their order is free. */
  readonly columns: readonly string[];
  /**
   * What values must be, by column, where others that read the topic depend on it. `dest_nr` has no check: short codes
   * (112), service codes (*100#) and names of senders are numbers, too.
   */
  readonly checks: FieldChecks;
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
      pattern: /^cdr_data_.*\.csv(?:\.gz)?$/s,
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
      checks: {
        msisdn: 'msisdn',
        tower_id: 'integer',
        up_bytes: 'integer',
        down_bytes: 'integer',
        data_type: { known: ['video', 'audio', 'web', 'social', 'messaging', 'download'] },
        event_datetime: 'date-time',
      },
      keyColumn: 'msisdn',
      topic: dataTopic,
    },
    {
      name: 'voice',
      pattern: /^cdr_voice_.*\.csv(?:\.gz)?$/s,
      columns: ['msisdn', 'tower_id', 'call_type', 'dest_nr', 'call_duration_sec', 'start_time'],
      checks: {
        msisdn: 'msisdn',
        tower_id: 'integer',
        call_type: { known: ['voice', 'video'] },
        call_duration_sec: 'integer',
        start_time: 'date-time',
      },
      keyColumn: 'msisdn',
      topic: voiceTopic,
    },
  ];
}

/**
 * False for a name that was listed with bytes that are not UTF-8, which show as U+FFFD: the file cannot be asked for under
 * the name that we see. A name that really has that character is left from such a conversion, and treated alike.
 */
export function isUtf8Name(fileName: string): boolean {
  return !fileName.includes('\ufffd');
}

/** Whether a file is to be decompressed. The name decides; a file under another name is read as it is. */
export function isGzipName(fileName: string): boolean {
  return fileName.endsWith('.gz');
}

/** The feed that claims a file name, or undefined when none does. */
export function matchFeed(feeds: readonly Feed[], fileName: string): Feed | undefined {
  if (!isUtf8Name(fileName)) return undefined;
  return feeds.find((feed) => feed.pattern.test(fileName));
}
