/** The state of delegations in memory, as strict as the host's: an event is checked, given its one text, and folded. */

import { apply } from "../../src/delegation/reduce.ts";
import { canonicalJson } from "../../src/domain/canonical.ts";
import type { Delegation } from "../../src/domain/delegation.ts";
import { type Entry, type Event, events } from "../../src/domain/event.ts";

export interface MemoryStore {
  log: Event[];
  record(id: string): Delegation;
  append(event: Event): Promise<Entry>;
  note(event: Event): void;
  /** As the ledger does: every entry that is taken. */
  subscribe(listener: (entry: Entry) => void): () => void;
  /** The types that were appended, in order. */
  types(): string[];
  /** Called before an event is taken: what it throws is a crash before it was durable. */
  before: (event: Event) => void;
}

export function memoryStore(): MemoryStore {
  const folded = new Map<string, Delegation>();
  const log: Event[] = [];
  const listeners = new Set<(entry: Entry) => void>();
  const take = (event: Event): Entry => {
    const data: unknown = JSON.parse(canonicalJson(events[event.type].parse(event.data)));
    const dated = { ...event, data, time: new Date(1_700_000_000_000 + log.length * 1000).toISOString() };
    apply(folded, dated as Parameters<typeof apply>[1]);
    log.push(event);
    for (const listener of listeners) listener(dated as unknown as Entry);
    return dated as unknown as Entry;
  };
  const store: MemoryStore = {
    log,
    before: () => {},
    record(id) {
      const record = folded.get(id);
      if (!record) throw new Error(`no ${id}`);
      return record;
    },
    async append(event) {
      store.before(event);
      return take(event);
    },
    note: (event) => void take(event),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    types: () => log.map((event) => event.type),
  };
  return store;
}
