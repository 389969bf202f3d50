import { isDeepStrictEqual } from 'node:util';
import type { LedgerEntry } from '@cdr/core/ledger-record';
import type { LedgerReader } from '@cdr/kafka/ledger-reader';
import { isMadeAnew, sameLedger, type LedgerIdentity, type ProjectedFile } from '@cdr/queue/ledger-projection';
import { changeEntry, type ChangeParts } from './change-entry.ts';
import type { LedgerParts } from './ledger-parts.ts';

/** Files that are written between two looks at what the topic has by now: each write reads the rest of it. */
const LOOK_EVERY = 200;

/** Whether Redis has seen more of the ledger than there is, so that scanner and workers refuse to go on. */
export async function isLedgerLost({ projection, ledgerReader, ledger }: LedgerParts): Promise<boolean> {
  const position = await projection.position();
  const identity = { ...ledger(), topicId: await ledgerReader.topicId() };
  if (!position || !sameLedger(position, identity)) return false;
  return isMadeAnew(position, identity) || position.offset > (await ledgerReader.end());
}

/**
 * Writes one entry that Redis remembers into the ledger topic, unless it is there. Answers whether it was written. May be
 * repeated; nobody ingests meanwhile, since the projection still says that the ledger is lost.
 */
export async function restoreEntry({ record }: LedgerEntry, topic: ChangeParts): Promise<boolean> {
  const { written } = await changeEntry(
    record.file,
    (entry) => (entry && isDeepStrictEqual(entry, record) ? undefined : record),
    topic,
  );
  return written;
}

/** From here on the projection is built from the topic as it is. False when somebody else has done it meanwhile. */
export async function forgetLostLedger({ projection, ledgerReader, ledger }: LedgerParts): Promise<boolean> {
  const identity = { ...ledger(), topicId: await ledgerReader.topicId() };
  return projection.restart(await projection.position(), { ...identity, offset: await ledgerReader.start() });
}

/** What restoring needs; the projection in Redis is not asked, since it speaks of the ledger that was lost. */
export function restoringParts(parts: LedgerParts): ChangeParts {
  return { ...parts, projection: new FollowedTopic(parts.ledgerReader, parts.ledger) };
}

/** The topic as it is now, remembered in memory, in the place of the projection. */
class FollowedTopic {
  readonly #reader: LedgerReader;
  readonly #ledger: () => LedgerIdentity;
  readonly #entries = new Map<string, LedgerEntry>();
  #readTo: bigint | undefined;
  #asked = 0;

  constructor(reader: LedgerReader, ledger: () => LedgerIdentity) {
    this.#reader = reader;
    this.#ledger = ledger;
  }

  async ask(file: string): Promise<ProjectedFile> {
    if (this.#asked++ % LOOK_EVERY === 0) await this.#follow();
    const offset = this.#readTo ?? (await this.#reader.start());
    return { entry: this.#entries.get(file), unreadableAt: undefined, position: { ...this.#ledger(), offset } };
  }

  async put(): Promise<undefined> {
    // the next look finds it in the topic
  }

  async #follow(): Promise<void> {
    const from = this.#readTo ?? (await this.#reader.start());
    for await (const { entries, position } of this.#reader.readCommitted(from)) {
      for (const entry of entries) this.#entries.set(entry.record.file, entry);
      this.#readTo = position;
    }
  }
}
