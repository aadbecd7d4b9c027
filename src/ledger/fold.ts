/** State is a fold over the ledger: what the entries say, in their order, and nothing else. */
import type { Entry } from "../domain/event.ts";

/** Folds entries into a state, one step an entry. Rejects with whatever the entries or a step throw. */
export async function foldEntries<T>(
  entries: AsyncIterable<Entry>,
  initial: T,
  step: (state: T, entry: Entry) => T,
): Promise<T> {
  let state = initial;
  for await (const entry of entries) state = step(state, entry);
  return state;
}
