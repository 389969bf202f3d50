import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Everything that the scanner counts. docs/metrics.md lists them. */
export function scannerMetrics(registry: Registry) {
  const registers = [registry];
  return {
    scans: new Counter({ name: 'cdr_scanner_scans_total', help: 'Scans that came to their end', registers }),
    scanErrors: new Counter({
      name: 'cdr_scanner_scan_errors_total',
      help: 'Scans that did not, by the code of the error',
      labelNames: ['code'] as const,
      registers,
    }),
    scanSeconds: new Histogram({
      name: 'cdr_scanner_scan_seconds',
      help: 'How long scans took',
      buckets: [0.01, 0.05, 0.2, 1, 5, 20, 60],
      registers,
    }),
    lastScan: new Gauge({
      name: 'cdr_scanner_last_scan_timestamp_seconds',
      help: 'When the last scan came to its end, seconds since 1970',
      registers,
    }),
    files: new Gauge({
      name: 'cdr_scanner_files',
      help: 'Files of the last listing: found, ingested, changed, settling, queued, failed, unclaimed',
      labelNames: ['state'] as const,
      registers,
    }),
    enqueued: new Counter({ name: 'cdr_scanner_enqueued_total', help: 'Jobs added', registers }),
    limbo: new Counter({
      name: 'cdr_scanner_limbo_jobs_total',
      help: 'Jobs that were in no list of the queue, removed and added again',
      registers,
    }),
    unreadableLedgerRecords: new Counter({
      name: 'cdr_scanner_unreadable_ledger_records_total',
      help: 'Records of the ledger topic that this release cannot read',
      registers,
    }),
    mendedProjection: new Counter({
      name: 'cdr_scanner_mended_projection_entries_total',
      help: 'Files of which Redis remembered something else than the ledger says: the ledger has won',
      registers,
    }),
    jobs: new Gauge({
      name: 'cdr_scanner_jobs',
      help: 'Jobs in the queue: waiting, active, delayed, failed, completed',
      labelNames: ['state'] as const,
      registers,
    }),
    oldestWaiting: new Gauge({
      name: 'cdr_scanner_oldest_waiting_seconds',
      help: 'How long the job that waits longest has been waiting; 0 when none waits',
      registers,
    }),
    ledgerStableOffset: new Gauge({
      name: 'cdr_scanner_ledger_stable_offset',
      help: 'How far the ledger is decided: its last stable offset',
      registers,
    }),
    ledgerUndecided: new Gauge({
      name: 'cdr_scanner_ledger_undecided',
      help: 'Offsets of the ledger behind that one: they wait for a transaction to be decided',
      registers,
    }),
    dependencyUp: new Gauge({
      name: 'cdr_scanner_dependency_up',
      help: '1 while nothing is known to be wrong with the dependency, 0 while the scanner waits for it',
      labelNames: ['dependency'] as const,
      registers,
    }),
  };
}

export type ScannerMetrics = ReturnType<typeof scannerMetrics>;
