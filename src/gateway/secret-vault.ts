/**
 * What the gateway knows: the values of every secret in use, current and replaced. Values are asked for from the
 * keeper, used again for a short time, and never leave this process but upstream.
 */
import { SallyportError } from "../domain/error.ts";
import { maskText, namesIn, searchFor } from "../secrets/masker.ts";
import type { Search } from "../secrets/search.ts";

/** Milliseconds that a value is used without asking its source again. */
export const valueAge = 30_000;
/** Values that the house goes on masking after nobody holds them. */
export const keptValues = 1000;

export interface Vault {
  /** Values that an earlier gateway knew: they are masked for the house, and nobody holds them. */
  recall(known: Iterable<readonly [value: string, name: string]>): void;
  /**
   * Resolves every reference now and keeps the values for `holder` (a delegation) until `release`. Throws
   * `secret-unavailable`, naming each reference that failed. May be called again for the same holder.
   */
  hold(holder: string, references: Readonly<Record<string, string>>): Promise<void>;
  release(holder: string): void;
  /** The value of now, at most `valueAge` old. Throws `secret-unavailable`. */
  value(holder: string, name: string): Promise<string>;
  holds(holder: string, name: string): boolean;
  /** All forms of all values that this holder has had. */
  search(holder: string): Search;
  /** A text without any value that is or was known here. */
  mask(text: string): string;
  /** The names of the secrets whose values bytes hold. */
  contains(bytes: Buffer): string[];
}

interface Held {
  reference: string;
  values: Set<string>;
}

export function createVault(tools: {
  /** Asks the source of the secret `name`. */
  resolve(reference: string, name: string): Promise<string>;
  now(): number;
}): Vault {
  const holders = new Map<string, { names: Map<string, Held>; search: Search | undefined }>();
  const current = new Map<string, { value: string; at: number }>();
  const asking = new Map<string, Promise<string>>();
  /** By value, in the order in which they came. */
  const known = new Map<string, string>();
  let house: Search | undefined;

  const learn = (holder: string, name: string, value: string) => {
    const mine = holders.get(holder);
    const held = mine?.names.get(name);
    if (mine && held && !held.values.has(value)) {
      held.values.add(value);
      mine.search = undefined;
    }
    if (known.has(value)) return;
    known.set(value, name);
    house = undefined;
    if (known.size <= keptValues) return;
    const inUse = new Set(
      [...holders.values()].flatMap(({ names }) => [...names.values()].flatMap((h) => [...h.values])),
    );
    for (const old of known.keys()) {
      if (known.size <= keptValues) break;
      if (!inUse.has(old)) known.delete(old);
    }
  };
  const fetch = (reference: string, name: string): Promise<string> => {
    const cached = current.get(reference);
    if (cached && tools.now() - cached.at < valueAge) return Promise.resolve(cached.value);
    const running = asking.get(reference);
    if (running) return running;
    const asked = tools
      .resolve(reference, name)
      .then((value) => {
        current.set(reference, { value, at: tools.now() });
        return value;
      })
      .catch((error: unknown) => {
        // A source that refuses may have been told to: its last value is not used on.
        current.delete(reference);
        throw error;
      })
      .finally(() => asking.delete(reference));
    asking.set(reference, asked);
    return asked;
  };
  const everywhere = (): Search => {
    if (house) return house;
    const byName = new Map<string, string[]>();
    for (const [value, name] of known) byName.set(name, [...(byName.get(name) ?? []), value]);
    house = searchFor(byName);
    return house;
  };

  return {
    recall(before) {
      for (const [value, name] of before) if (!known.has(value)) known.set(value, name);
      house = undefined;
    },
    async hold(holder, references) {
      const mine = holders.get(holder) ?? { names: new Map<string, Held>(), search: undefined };
      holders.set(holder, mine);
      for (const [name, reference] of Object.entries(references)) {
        const held = mine.names.get(name);
        if (held) held.reference = reference;
        else mine.names.set(name, { reference, values: new Set() });
      }
      const failures = await Promise.all(
        Object.entries(references).map(async ([name, reference]) => {
          try {
            learn(holder, name, await fetch(reference, name));
            return [];
          } catch (error) {
            return [{ name, error: error as SallyportError }];
          }
        }),
      ).then((all) => all.flat());
      const [first] = failures;
      if (first) {
        throw new SallyportError(
          "secret-unavailable",
          failures.map(({ name, error }) => `secret ${name}: ${error.message}`).join("; "),
          { next: first.error.next },
        );
      }
    },
    release(holder) {
      holders.delete(holder);
    },
    async value(holder, name) {
      const held = holders.get(holder)?.names.get(name);
      if (!held) throw new SallyportError("secret-unavailable", `secret ${name} is not held here`);
      const value = await fetch(held.reference, name);
      learn(holder, name, value);
      return value;
    },
    holds: (holder, name) => (holders.get(holder)?.names.get(name)?.values.size ?? 0) > 0,
    search(holder) {
      const mine = holders.get(holder);
      if (!mine) return searchFor(new Map());
      mine.search ??= searchFor(new Map([...mine.names].map(([name, { values }]) => [name, values])));
      return mine.search;
    },
    mask: (text) => maskText(everywhere(), text),
    contains: (bytes) => namesIn(everywhere(), bytes),
  };
}
