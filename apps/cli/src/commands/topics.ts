import { ensureTopics } from '@cdr/kafka/topics';
import type { Command } from 'commander';
import type { CommandContext, CommonOptions, Runner } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';

export function addTopics(program: Command, run: Runner): void {
  program
    .command('topics')
    .description('create the topics that are missing, and say how safe those are that exist')
    .action((options: CommonOptions) => run(options, topics));
}

async function topics({ parts, out }: CommandContext): Promise<ExitCode> {
  const { kafka, topics: settings } = parts.kafka();
  const reports = await ensureTopics(kafka, settings);
  out.answer({ topics: reports }, () => {
    out.table(
      ['topic', 'for', 'partitions', 'replicas', ''],
      reports.map(({ topic, role, partitions, replication, created }) => [
        topic,
        role,
        String(partitions),
        String(replication),
        created ? { text: 'created', style: 'green' } : 'was there',
      ]),
    );
    for (const { topic, warnings } of reports)
      for (const warning of warnings) out.line({ text: 'warning  ', style: 'yellow' }, `${topic}: ${warning}`);
  });
  return EXIT.ok;
}
