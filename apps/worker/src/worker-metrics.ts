import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Everything that a worker counts. docs/metrics.md lists them. */
export function workerMetrics(registry: Registry) {
  const registers = [registry];
  return {
    files: new Counter({
      name: 'cdr_worker_files_total',
      help: 'Files by what became of them: ingested, touched, changed, already-ingested, put-back, failed',
      labelNames: ['feed', 'outcome'] as const,
      registers,
    }),
    sameContent: new Counter({
      name: 'cdr_worker_same_content_files_total',
      help: 'Ingested files whose content another file had been ingested with before',
      labelNames: ['feed'] as const,
      registers,
    }),
    messages: new Counter({
      name: 'cdr_worker_messages_total',
      help: 'Messages committed',
      labelNames: ['feed'] as const,
      registers,
    }),
    rejects: new Counter({
      name: 'cdr_worker_rejects_total',
      help: 'Rejects committed',
      labelNames: ['feed'] as const,
      registers,
    }),
    unknownValues: new Counter({
      name: 'cdr_worker_unknown_values_total',
      help: "Values of committed messages outside of their column's list of known ones",
      labelNames: ['feed', 'column'] as const,
      registers,
    }),
    readBytes: new Counter({
      name: 'cdr_worker_read_bytes_total',
      help: 'Bytes read from the SFTP server, repeated attempts included',
      labelNames: ['feed'] as const,
      registers,
    }),
    transactionSeconds: new Histogram({
      name: 'cdr_worker_transaction_seconds',
      help: 'How long transactions were open, from the first partition added to the commit',
      buckets: [0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 150, 300],
      registers,
    }),
    attemptSeconds: new Histogram({
      name: 'cdr_worker_attempt_seconds',
      help: 'How long attempts took, whatever their end',
      labelNames: ['feed'] as const,
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800],
      registers,
    }),
    attemptErrors: new Counter({
      name: 'cdr_worker_attempt_errors_total',
      help: 'Attempts that ended with an error, by its code',
      labelNames: ['feed', 'code'] as const,
      registers,
    }),
    fileSeconds: new Histogram({
      name: 'cdr_worker_file_seconds',
      help: 'From the job being added to the commit of its file',
      labelNames: ['feed'] as const,
      buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200],
      registers,
    }),
    busySlots: new Gauge({ name: 'cdr_worker_busy_slots', help: 'Slots that hold a job', registers }),
    dependencyUp: new Gauge({
      name: 'cdr_worker_dependency_up',
      help: '1 while nothing is known to be wrong with the dependency, 0 while jobs wait for it',
      labelNames: ['dependency'] as const,
      registers,
    }),
  };
}

export type WorkerMetrics = ReturnType<typeof workerMetrics>;
