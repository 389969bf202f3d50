import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { KafkaRight } from './secured-kafka.ts';

const OPERATIONS = path.join(import.meta.dirname, '../../docs/operations.md');

/** Whom the documentation gives Kafka rights to. */
export type KafkaRole = 'Worker' | 'Scanner' | '`cdr`';

/**
 * The rights of a role as docs/operations.md lists them for operators: the table under "Kafka", with the names that a
 * deployment has for the topics. Throws when the table is not as it is read here, so that no row is passed over.
 */
export function documentedKafkaRights(role: KafkaRole, topics: Readonly<Record<string, string>>): KafkaRight[] {
  const [head = [], , ...rows] = tableBelow('### Kafka', '| Resource');
  const column = head.indexOf(role);
  if (column < 0) throw new Error(`docs/operations.md has no column ${role}: ${head.join(', ')}`);
  return rows.flatMap((cells) => {
    const operations = (cells[column] ?? '').split(', ').filter((operation) => operation !== '');
    return resourcesOf(cells[0] ?? '', topics).flatMap((resource) =>
      operations.map((operation) => ({ operation: operation as KafkaRight['operation'], ...resource })),
    );
  });
}

/** The rules of the Redis user that docs/operations.md creates, for another password and key prefix. */
export function documentedRedisRules(password: string, prefix: string): string[] {
  const rules = /^ACL SETUSER cdr (.*)$/m.exec(readFileSync(OPERATIONS, 'utf8'))?.[1];
  if (!rules) throw new Error('docs/operations.md has no line "ACL SETUSER cdr ..."');
  return rules
    .split(' ')
    .map((rule) => (rule === '>PASSWORD' ? `>${password}` : rule === '~cdr:*' ? `~${prefix}:*` : rule));
}

function resourcesOf(
  cell: string,
  topics: Readonly<Record<string, string>>,
): Pick<KafkaRight, 'on' | 'name' | 'prefixed'>[] {
  const prefix = /^transactional ids with the prefix `(.+)`$/.exec(cell)?.[1];
  if (prefix) return [{ on: 'transactional id', name: prefix, prefixed: true }];
  return cell.split(', ').map((name) => {
    const topic = topics[name.replaceAll('`', '')];
    if (!topic) throw new Error(`docs/operations.md gives rights on "${name}", which is no topic that the test knows`);
    return { on: 'topic', name: topic };
  });
}

/** The cells of the first table behind a heading; its first line begins as given. */
function tableBelow(heading: string, firstLine: string): string[][] {
  const lines = readFileSync(OPERATIONS, 'utf8').split('\n');
  const start = lines.findIndex((line, i) => line.startsWith(firstLine) && i > lines.indexOf(heading));
  if (!lines.includes(heading) || start < 0) throw new Error(`docs/operations.md has no table under ${heading}`);
  const end = lines.findIndex((line, i) => i > start && !line.startsWith('|'));
  return lines.slice(start, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
