/** Values of the model's constants: see IngestFile.tla. */
export interface Constants {
  workers: number;
  operators: number;
  scanners: number;
  keepUps: number;
  Parts: number;
  MaxGen: number;
  // rules
  IdOf: 'file' | 'generation' | 'worker';
  Fenced: 'before asking' | 'after asking';
  Locks: boolean;
  AskRedis: 'one command' | 'two commands';
  ReadTo: 'to the end' | 'to the stable end' | 'not at all';
  Meet: boolean;
  Epoch0: 'means nothing' | 'means nobody was here';
  Plan: 'generation first' | 'state first' | 'other generation is none';
  Compare: boolean;
  Check: boolean;
  Record: 'in the transaction' | 'before the commit' | 'after the commit';
  Retried: 'own' | 'fence' | 'go on';
  Abort: 'when all was answered' | 'always';
  Verify: boolean;
  Operator: 'asks the ledger' | 'asks the projection';
  Again: 'by generation' | 'compares entries';
  CatchUp: 'one script' | 'slices' | 'unconditional';
  Position: 'stable end' | 'end';
  Mending: 'read to the position' | 'whatever was read';
  Put: 'higher only' | 'always';
  ChangedFiles: 'alert' | 'reingest';
  // how often
  Fences: number;
  Crashes: number;
  Stalls: number;
  Holds: number;
  LostAnswers: number;
  LateBatches: number;
  Intrusions: number;
  Forgets: number;
  Backups: number;
  Rollbacks: number;
  OthersRecords: number;
  Depositions: number;
  Mendings: number;
  Requests: number;
  Touches: number;
  Grows: number;
  Replaces: number;
}

/** The protocol, and a world without faults. */
export const PROTOCOL: Constants = {
  workers: 2,
  operators: 0,
  scanners: 1,
  keepUps: 0,
  Parts: 1,
  MaxGen: 1,
  IdOf: 'file',
  Fenced: 'before asking',
  Locks: true,
  AskRedis: 'one command',
  ReadTo: 'to the end',
  Meet: true,
  Epoch0: 'means nothing',
  Plan: 'generation first',
  Compare: true,
  Check: true,
  Record: 'in the transaction',
  Retried: 'own',
  Abort: 'when all was answered',
  Verify: false,
  Operator: 'asks the ledger',
  Again: 'by generation',
  CatchUp: 'one script',
  Position: 'stable end',
  Mending: 'read to the position',
  Put: 'higher only',
  ChangedFiles: 'alert',
  Fences: 2,
  Crashes: 0,
  Stalls: 0,
  Holds: 0,
  LostAnswers: 0,
  LateBatches: 0,
  Intrusions: 0,
  Forgets: 0,
  Backups: 0,
  Rollbacks: 0,
  OthersRecords: 0,
  Depositions: 0,
  Mendings: 0,
  Requests: 0,
  Touches: 0,
  Grows: 0,
  Replaces: 0,
};

export const INVARIANTS = [
  'EachRowOnce',
  'NoRowLost',
  'LedgerMatchesRows',
  'LedgerPromisesNothing',
  'NoMixture',
  'ProjectionTrue',
  'OnlyAskedFor',
] as const;

export interface Run {
  readonly name: string;
  /** What differs from PROTOCOL. */
  readonly constants: Partial<Constants>;
  /** The invariant that must be violated; without it, all of them must hold. */
  readonly breaks?: string;
  /** Only with --all: takes more than a minute or so. */
  readonly long?: boolean;
}

const OPERATOR: Partial<Constants> = { operators: 1, Requests: 1, MaxGen: 2, Fences: 3 };
const REDIS_GOES_BACK: Partial<Constants> = { Backups: 1, Rollbacks: 1 };

/** The model is not empty: states that must be reached, as invariants that must be violated. */
const REACHED: readonly Run[] = [
  { name: 'reached-done', constants: { Parts: 2 }, breaks: 'NeverDone' },
  { name: 'reached-id-forgotten', constants: { Stalls: 1, Forgets: 1 }, breaks: 'NeverForgotten' },
  { name: 'reached-touched', constants: { Touches: 1 }, breaks: 'NeverTouched' },
  { name: 'reached-grown', constants: { Grows: 1 }, breaks: 'NeverGrown' },
  { name: 'reached-changed-reported', constants: { Replaces: 1 }, breaks: 'NeverReported' },
  { name: 'reached-asked-again', constants: OPERATOR, breaks: 'NeverAgain' },
  {
    name: 'reached-old-story',
    constants: { Stalls: 1, Depositions: 1, Fences: 3 },
    breaks: 'NeverOldStory',
  },
];

/** The protocol under faults: every invariant must hold. */
const PROTOCOL_HOLDS: readonly Run[] = [
  { name: 'crash', constants: { Parts: 2, Fences: 3, Crashes: 1, Stalls: 1, Intrusions: 1 } },
  { name: 'crash-and-outages', constants: { Fences: 4, Crashes: 1, Stalls: 2, Holds: 1, Intrusions: 1 } },
  { name: 'lost-answers', constants: { Parts: 2, Fences: 3, Stalls: 1, LostAnswers: 1, Intrusions: 1 } },
  { name: 'lost-answers-2', constants: { Fences: 4, Stalls: 1, LostAnswers: 2 } },
  { name: 'late-batch', constants: { Parts: 2, Fences: 3, Stalls: 1, LateBatches: 1, Holds: 1 } },
  { name: 'late-batch-verified', constants: { Abort: 'always', Verify: true, Fences: 3, Stalls: 1, LateBatches: 1 } },
  { name: 'redis-goes-back', constants: { Parts: 2, Fences: 3, Stalls: 1, ...REDIS_GOES_BACK } },
  { name: 'redis-wiped-and-lost-answer', constants: { Parts: 2, Fences: 3, LostAnswers: 1, Rollbacks: 1, Crashes: 1 } },
  { name: 'two-scanners', constants: { scanners: 2, Fences: 2, ...REDIS_GOES_BACK } },
  { name: 'keep-up', constants: { keepUps: 1, Fences: 3, Stalls: 1, OthersRecords: 1, ...REDIS_GOES_BACK } },
  { name: 'other-files', constants: { keepUps: 1, Fences: 3, Stalls: 1, OthersRecords: 2 } },
  { name: 'ids-forgotten', constants: { Fences: 3, Stalls: 1, Forgets: 2, ...REDIS_GOES_BACK } },
  { name: 'deposed-leader', constants: { Fences: 3, Stalls: 1, Depositions: 1, Rollbacks: 1 } },
  { name: 'deposed-leader-parts', constants: { Parts: 2, Fences: 3, Stalls: 1, Depositions: 1 } },
  { name: 'mending', constants: { Fences: 3, Stalls: 1, Mendings: 1, Depositions: 1, Rollbacks: 1 } },
  { name: 'operator', constants: { ...OPERATOR, Stalls: 1 } },
  { name: 'operator-lost-answer', constants: { ...OPERATOR, LostAnswers: 1, Fences: 4 } },
  { name: 'operator-redis-wiped', constants: { ...OPERATOR, Rollbacks: 1, Fences: 4 } },
  { name: 'operator-deposed-leader', constants: { ...OPERATOR, Depositions: 1, Fences: 4 } },
  { name: 'operator-parts', constants: { ...OPERATOR, Parts: 2, Fences: 4 } },
  { name: 'touched', constants: { Touches: 1, Fences: 3, Stalls: 1, Crashes: 1 } },
  { name: 'grown', constants: { Grows: 1, Fences: 4, Stalls: 1 } },
  { name: 'replaced', constants: { Parts: 2, Replaces: 1, Fences: 3, Stalls: 1 } },
  { name: 'replaced-reingest', constants: { Replaces: 1, Fences: 4, MaxGen: 2, ChangedFiles: 'reingest' } },
  { name: 'without-locks', constants: { Locks: false, Fences: 3, Stalls: 1, LostAnswers: 1 } },
  { name: 'three-workers', constants: { workers: 3, Fences: 3, Stalls: 2, Intrusions: 1 } },
];

/**
 * Meeting ourselves is a second line of defence: with a wrong answer of step 3, or none behind a repeated commit, an
 * attempt may start again for ever, but what it commits is right. Each of these breaks without it: see MUTATIONS.
 */
const SECOND_LINE_HOLDS: readonly Run[] = [
  { name: 'met-ask-before-fence', constants: { Fenced: 'after asking', Stalls: 1 } },
  { name: 'met-read-to-stable-end', constants: { ReadTo: 'to the stable end', Stalls: 1, OthersRecords: 1 } },
  { name: 'met-projection-only', constants: { ReadTo: 'not at all', Crashes: 1, Stalls: 1, Fences: 3 } },
  {
    name: 'met-epoch-0-means-nobody',
    constants: { Epoch0: 'means nobody was here', Stalls: 1, Forgets: 1, Fences: 3 },
  },
  {
    name: 'met-fence-only-after-repeated-commit',
    constants: { Retried: 'fence', Parts: 2, Fences: 3, LostAnswers: 1, Stalls: 1 },
  },
];

/** One rule changed: the invariant named must be violated. */
const MUTATIONS: readonly Run[] = [
  // who may commit
  { name: 'id-of-worker', constants: { IdOf: 'worker', Stalls: 1 }, breaks: 'EachRowOnce' },
  { name: 'id-of-worker-without-locks', constants: { IdOf: 'worker', Stalls: 1, Locks: false }, breaks: 'EachRowOnce' },
  {
    name: 'id-of-generation',
    constants: { ...OPERATOR, IdOf: 'generation', Meet: false, Parts: 2, Rollbacks: 1, Holds: 1, Fences: 5 },
    breaks: 'EachRowOnce',
  },
  // what is asked, without the second look of MeetYourself
  {
    name: 'ask-before-fence',
    constants: { Fenced: 'after asking', Meet: false, Stalls: 1 },
    breaks: 'EachRowOnce',
  },
  {
    name: 'read-to-stable-end',
    constants: { ReadTo: 'to the stable end', Meet: false, Stalls: 1, OthersRecords: 1 },
    breaks: 'EachRowOnce',
  },
  {
    name: 'projection-only',
    constants: { ReadTo: 'not at all', Meet: false, Crashes: 1, Stalls: 1 },
    breaks: 'EachRowOnce',
  },
  {
    name: 'epoch-0-means-nobody',
    constants: { Epoch0: 'means nobody was here', Meet: false, Stalls: 1, Forgets: 1 },
    breaks: 'EachRowOnce',
  },
  {
    name: 'deposed-leader-believed',
    constants: { Meet: false, Fences: 3, Stalls: 1, Depositions: 1 },
    breaks: 'EachRowOnce',
  },
  {
    name: 'operator-deposed-leader-believed',
    constants: { ...OPERATOR, Meet: false, Depositions: 1, Fences: 4 },
    breaks: 'EachRowOnce',
  },
  {
    name: 'operator-asks-projection',
    constants: { ...OPERATOR, ...REDIS_GOES_BACK, Operator: 'asks the projection', Meet: false, Parts: 2 },
    breaks: 'EachRowOnce',
  },
  { name: 'entry-and-position-apart', constants: { AskRedis: 'two commands', Stalls: 1 }, breaks: 'EachRowOnce' },
  // the projection
  { name: 'catch-up-unconditional', constants: { CatchUp: 'unconditional', Rollbacks: 1 }, breaks: 'EachRowOnce' },
  { name: 'catch-up-in-slices', constants: { CatchUp: 'slices', ...REDIS_GOES_BACK }, breaks: 'EachRowOnce' },
  {
    name: 'catch-up-in-slices-wiped',
    constants: { CatchUp: 'slices', scanners: 2, Rollbacks: 1 },
    breaks: 'ProjectionTrue',
  },
  {
    name: 'mend-by-what-was-read',
    constants: { Mending: 'whatever was read', Mendings: 1, Depositions: 1 },
    breaks: 'EachRowOnce',
  },
  {
    name: 'position-beyond-stable-end',
    constants: { Position: 'end', Stalls: 1, OthersRecords: 1 },
    breaks: 'EachRowOnce',
  },
  {
    name: 'position-beyond-stable-end-keep-up',
    constants: { Position: 'end', keepUps: 1, Stalls: 1 },
    breaks: 'ProjectionTrue',
  },
  { name: 'put-always', constants: { ...OPERATOR, Put: 'always', Stalls: 1 }, breaks: 'ProjectionTrue' },
  // generations
  {
    name: 'state-before-generation',
    constants: { ...OPERATOR, Plan: 'state first', Parts: 2, Rollbacks: 1 },
    breaks: 'LedgerMatchesRows',
  },
  {
    name: 'other-generation-is-none',
    constants: { ...OPERATOR, Plan: 'other generation is none', Stalls: 1, Fences: 4 },
    breaks: 'EachRowOnce',
  },
  // the commit
  {
    name: 'ledger-before-commit',
    constants: { Record: 'before the commit', Crashes: 1 },
    breaks: 'LedgerPromisesNothing',
  },
  {
    name: 'ledger-before-commit-loses',
    constants: { Record: 'before the commit', Crashes: 1, Intrusions: 1, Stalls: 1 },
    breaks: 'NoRowLost',
  },
  {
    name: 'ledger-after-commit',
    constants: { Record: 'after the commit', Crashes: 1, Stalls: 1 },
    breaks: 'EachRowOnce',
  },
  {
    name: 'go-on-after-repeated-commit',
    constants: { Retried: 'go on', Parts: 2, LostAnswers: 1 },
    breaks: 'LedgerMatchesRows',
  },
  {
    name: 'fence-only-after-repeated-commit',
    constants: { Retried: 'fence', Meet: false, Parts: 2, Fences: 3, LostAnswers: 1, Stalls: 1 },
    breaks: 'EachRowOnce',
  },
  {
    name: 'abort-behind-unanswered-batch',
    constants: { Abort: 'always', Fences: 3, LateBatches: 1 },
    breaks: 'EachRowOnce',
  },
  {
    name: 'request-compared-by-entry',
    constants: { ...OPERATOR, workers: 1, MaxGen: 3, Again: 'compares entries', LostAnswers: 1, Fences: 5 },
    breaks: 'OnlyAskedFor',
  },
  // the file
  { name: 'prefix-not-compared', constants: { Compare: false, Parts: 2, Replaces: 1, Fences: 3 }, breaks: 'NoMixture' },
  { name: 'not-checked-at-end', constants: { Check: false, Parts: 2, Replaces: 1 }, breaks: 'NoMixture' },
];

export const RUNS: readonly Run[] = [...REACHED, ...PROTOCOL_HOLDS, ...SECOND_LINE_HOLDS, ...MUTATIONS];
