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
  resolve(host: string, named: Named, rule: string): Resolved | Promise<Resolved>;
}

/** Makes a resolver with a small cache of lookups; the check is the calling rule's own. */
export function createResolver(
  decisions: Pick<Decisions, "classifyAddress" | "sameAddress">,
  lookup: Lookup,
  now: () => number = Date.now,
): Resolver {
  const cache = new Map<string, Known>();
  const slots = createSlots(laneLookups);

  function lookUp(host: string): Known {
    // The slot is held until the lookup really ends: given up on, it still takes a thread.
    const answer = withDeadline(slots(() => lookup(host))).then((found) => found.map((entry) => entry.address));
    const known: Known = { until: now() + resolveAge, answer };
    if (cache.size >= 256) cache.clear();
    cache.set(host, known);
    answer.then(
      (addresses) => {
        known.answer = addresses;
      },
      () => cache.delete(host),
    );
    return known;
  }

  const judge = (host: string, addresses: readonly string[], named: Named, rule: string): Resolved => {
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
  };

  async function wait(host: string, answer: Promise<string[]>, named: Named, rule: string) {
    let addresses: string[];
    try {
      addresses = await answer;
    } catch {
      return refused(
        502,
        "resolve-failed",
        rule,
        `the name ${host} could not be resolved`,
        "Check the name; a lane has no other resolver.",
      );
    }
    return judge(host, addresses, named, rule);
  }

  return {
    resolve(host, named, rule) {
      // undici and net never call a lookup hook for a literal: it takes the same check as an answer would.
      if (isIP(host) !== 0) return judge(host, [host], named, rule);
      let known = cache.get(host);
      if (!known || known.until <= now()) known = lookUp(host);
      const { answer, judged } = known;
      if (answer instanceof Promise) return wait(host, answer, named, rule);
      // The same addresses under the same rule have the same verdict, for as long as the answer is used.
      if (judged?.rule === rule && judged.addresses === named.addresses && judged.only === named.only)
        return judged.verdict;
      const verdict = judge(host, answer, named, rule);
      known.judged = { ...named, rule, verdict };
      return verdict;
    },
  };
}

/** A lookup that is used for a moment: under way or answered, and the last verdict on its answer. */
interface Known {
  until: number;
  answer: Promise<string[]> | readonly string[];
  judged?: Named & { rule: string; verdict: Resolved };
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
