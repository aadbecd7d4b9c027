/**
 * From a decided host to the one address that is connected to. Names are resolved on the host, every address of the
 * answer is checked, and the connection goes to a checked address: a second lookup never happens, so an answer that
 * changes in between (rebinding) changes nothing.
 */

import type { LookupAddress } from "node:dns";
import { isIP } from "node:net";
import type { DenialCode } from "../domain/denial.ts";
import type { Decisions } from "./decisions.ts";
import type { Denial } from "./denial.ts";
import { laneLookups, resolveAge, resolveTime } from "./limits.ts";

export type Resolved = { ok: true; address: string } | { ok: false; denial: Denial };

/** `dns.promises.lookup` with `all`, or a test's own. */
export type Lookup = (host: string) => Promise<LookupAddress[]>;

/** What the deciding rule says of addresses: the private ones it names, and whether it is these alone, public ones not. */
export interface Named {
  addresses: readonly string[];
  only?: boolean;
}

/** One lane's resolver. */
export interface Resolver {
  resolve(host: string, named: Named, rule: string): Promise<Resolved>;
}

/** Makes a resolver with a small cache of lookups; the check is made anew for each call, by the calling rule. */
export function createResolver(
  decisions: Pick<Decisions, "classifyAddress" | "sameAddress">,
  lookup: Lookup,
  now: () => number = Date.now,
): Resolver {
  const cache = new Map<string, { until: number; answer: Promise<string[]> }>();
  const slots = createSlots(laneLookups);

  async function addressesOf(host: string): Promise<string[]> {
    // undici and net never call a lookup hook for a literal: it takes the same check as an answer would.
    if (isIP(host) !== 0) return [host];
    const known = cache.get(host);
    if (known && known.until > now()) return known.answer;
    // The slot is held until the lookup really ends: given up on, it still takes a thread.
    const answer = withDeadline(slots(() => lookup(host))).then((found) => found.map((entry) => entry.address));
    if (cache.size >= 256) cache.clear();
    cache.set(host, { until: now() + resolveAge, answer });
    answer.catch(() => cache.delete(host));
    return answer;
  }

  return {
    async resolve(host, named, rule) {
      let addresses: string[];
      try {
        addresses = await addressesOf(host);
      } catch {
        return refused(
          502,
          "resolve-failed",
          rule,
          `the name ${host} could not be resolved`,
          "Check the name; a lane has no other resolver.",
        );
      }
      if (addresses.length === 0) {
        return refused(502, "resolve-failed", rule, `the name ${host} has no address`, "Check the name.");
      }
      // All, not the first: an answer that mixes a public and a private address is an attack or a mistake.
      for (const address of addresses) {
        const verdict = checkAddress(decisions, address, named);
        if (verdict !== undefined) {
          return refused(
            403,
            "address-refused",
            rule,
            `${host} is at ${address}, which is ${verdict}`,
            `If that is meant, the policy must name ${address} under \`addresses\` beside this host.`,
          );
        }
      }
      return { ok: true, address: addresses[0] ?? "" };
    },
  };
}

/** Undefined where the address may be connected to, else what kind of address it is. */
function checkAddress(
  decisions: Pick<Decisions, "classifyAddress" | "sameAddress">,
  address: string,
  { addresses, only = false }: Named,
): string | undefined {
  // A zone id makes one text mean another address on each interface.
  if (isIP(address) === 0 || address.includes("%")) return "not an address";
  if (addresses.some((one) => decisions.sameAddress(address, one))) return undefined;
  if (only) return "not one that the rule names, and its secret would go there in clear";
  const found = decisions.classifyAddress(address);
  return found.ok ? undefined : found.kind;
}

function refused(status: number, code: DenialCode, rule: string, why: string, next: string): Resolved {
  return { ok: false, denial: { status, code, rule, why, next } };
}

async function withDeadline<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("the resolver did not answer in time")), resolveTime);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs at most `count` at once, the rest in order. */
function createSlots(count: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: Array<() => void> = [];
  let free = count;
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resume) => waiting.push(resume));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
