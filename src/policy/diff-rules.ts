/**
 * What one list of rules allows that another does not. Sound where it is silent: what is not claimed is provably allowed by
 * the other list as well. A claim comes with a request that shows it, or says that it is only possible.
 */
import type { NetworkRule } from "../domain/policy.ts";
import { sameAddress } from "./address.ts";
import { showAsked } from "./asked.ts";
import type { CanonicalRequest } from "./canonical-request.ts";
import { requestsCovered, services } from "./cover.ts";
import { compileRules } from "./decide.ts";
import { indexRules } from "./rule-index.ts";
import { ruleParts, sampleRequests } from "./rule-parts.ts";
import { ruleWords } from "./rule-words.ts";
import { hostPattern } from "./wildcard.ts";

export interface RuleClaim {
  /** The rule that gives it, by its place in the list that has it. */
  index: number;
  what: "requests" | "tunnel" | "secret" | "address";
  /** The parts of the rule that the other list does not provably allow. */
  parts: NetworkRule[];
  /** Whether the other list provably allows nothing of it. */
  whole: boolean;
  /** A request that one allows and the other denies; undefined where none was found, and the claim is only possible. */
  example: CanonicalRequest | undefined;
  text: string;
}

/** Everything that `rules` give and `others` do not provably give. */
export function rulesBeyond(rules: readonly NetworkRule[], others: readonly NetworkRule[]): RuleClaim[] {
  const near = indexRules(others);
  const decideHere = compileRules(rules);
  const decideThere = compileRules(others);
  return rules.flatMap((rule, index) => {
    const claims: RuleClaim[] = [];
    const rivals = near(rule.host).map((place) => others[place] as NetworkRule);
    const parts = ruleParts(rule);
    const beyond = parts.filter((part) => !rivals.some((other) => requestsCovered(part, other)));
    if (beyond.length > 0)
      claims.push(
        requestClaim(
          rule,
          index,
          beyond.map((part) => fewerPaths(part, rivals)),
        ),
      );
    const { secret, addresses = [] } = rule;
    if (secret !== undefined) {
      const carried = parts.filter(
        (part) => !rivals.some((other) => other.secret === secret && requestsCovered(part, other)),
      );
      const never = !others.some((other) => other.secret === secret && carried.some((part) => mayMeet(part, other)));
      if (carried.length > 0)
        claims.push({
          ...claim(index, "secret", carried, `the secret ${secret} may be carried by ${words(rule, carried)}`),
          whole: never,
        });
    }
    for (const address of addresses) {
      const names = (other: NetworkRule) => other.addresses?.some((one) => sameAddress(one, address)) ?? false;
      const reaching = parts.filter((part) => !rivals.some((other) => names(other) && requestsCovered(part, other)));
      const never = !others.some((other) => names(other) && reaching.some((part) => mayMeet(part, other)));
      if (reaching.length > 0)
        claims.push({
          ...claim(index, "address", reaching, `the address ${address} may be reached by ${words(rule, reaching)}`),
          whole: never,
        });
    }
    return claims;
  });

  function requestClaim(rule: NetworkRule, index: number, beyond: NetworkRule[]): RuleClaim {
    const whole = !others.some((other) => beyond.some((part) => mayMeet(part, other)));
    const example = beyond
      .flatMap(sampleRequests)
      .find((request) => decideHere.decide(request).allow && !decideThere.decide(request).allow);
    const tunnel = rule.tls === "passthrough";
    const text = tunnel ? `a tunnel that is not read to ${words(rule, beyond)}` : words(rule, beyond);
    return { ...claim(index, tunnel ? "tunnel" : "requests", beyond, text), whole, example };
  }
}

/** An example as people write it. */
export function showExample(request: CanonicalRequest): string {
  return showAsked({ request });
}

function claim(index: number, what: RuleClaim["what"], parts: NetworkRule[], text: string): RuleClaim {
  return { index, what, parts, whole: false, example: undefined, text };
}

/** A part with only those of its paths that no rival covers; all of them where each is covered, and not all by one. */
function fewerPaths(part: NetworkRule, rivals: readonly NetworkRule[]): NetworkRule {
  const paths = part.paths?.filter(
    (path) => !rivals.some((other) => requestsCovered({ ...part, paths: [path] }, other)),
  );
  return paths && paths.length > 0 ? { ...part, paths } : part;
}

/** The rule in words, or only those of its parts that are meant: parts with the same paths together. */
function words(rule: NetworkRule, parts: readonly NetworkRule[]): string {
  const whole =
    parts.length === ruleParts(rule).length && parts.every(({ paths }) => paths?.length === rule.paths?.length);
  if (whole) return ruleWords(rule);
  const groups = new Map<string, NetworkRule>();
  for (const part of parts) {
    const key = JSON.stringify([part.scheme, part.port, part.paths]);
    const { methods } = groups.get(key) ?? {};
    groups.set(key, { ...part, ...(methods && part.methods ? { methods: [...methods, ...part.methods] } : {}) });
  }
  return [...groups.values()].map(ruleWords).join("; ");
}

/** Whether some request might be allowed by both: `false` is a proof that none is. */
function mayMeet(a: NetworkRule, b: NetworkRule): boolean {
  if (!hostsMeet(a.host, b.host)) return false;
  const there = services(b);
  if (![...services(a)].some((service) => there.has(service))) return false;
  if (a.tls === "passthrough" || b.tls === "passthrough" || !a.methods || !b.methods) return true;
  return a.methods.some((method) => b.methods?.includes(method));
}

function hostsMeet(a: string, b: string): boolean {
  const left = hostPattern(a);
  const right = hostPattern(b);
  if (!left.ok || !right.ok) return false;
  const within = (inner: typeof left, outer: typeof left) =>
    outer.wildcard
      ? inner.host.endsWith(`.${outer.host}`) || (inner.wildcard && inner.host === outer.host)
      : !inner.wildcard && inner.host === outer.host;
  return within(left, right) || within(right, left);
}
