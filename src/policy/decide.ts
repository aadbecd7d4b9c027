/**
 * The one decision about a request: which rule allows it, or why none does. Pure; whoever enforces it gets it injected.
 * No rules, an empty list and a list that names something else are the same answer: denied. Rules only add up: a request
 * is allowed when any rule allows it, so taking a rule away, or narrowing one, never allows anything.
 */
import type { NetworkRule } from "../domain/policy.ts";
import { canonicalAddress, sameAddress } from "./address.ts";
import { canonicalHost } from "./canonical-host.ts";
import { pathReadings } from "./canonical-path.ts";
import type { CanonicalRequest } from "./canonical-request.ts";
import type { Allowance, Compiled, Decision, Denial, DenialCode, Interception } from "./decision.ts";
import { deniedRequest, deniedTls } from "./denied.ts";
import { compileGlob, type Glob, isLiteral } from "./glob.ts";
import { indexHosts } from "./host-index.ts";
import { compileQuery } from "./query.ts";
import { hostPattern } from "./wildcard.ts";

export type { Allowance, Decision, Denial, DenialCode, Interception } from "./decision.ts";

/** Rules made ready for many decisions. */
export interface CompiledRules {
  /** Decides one canonical request. */
  decide(request: CanonicalRequest): Decision;
  /**
   * Decides TLS to a host and port, at CONNECT. `open` allows nothing by itself: the requests inside are decided, each by
   * its own rule and that rule's addresses. The host may come in any spelling. A passthrough rule wins over all others.
   */
  intercept(host: string, port: number): Interception;
}

/** How far a request got through one rule: the later the failing step, the nearer the rule. */
const depth: Readonly<Record<DenialCode, number>> = {
  malformed: 0,
  "no-rule": 0,
  port: 1,
  scheme: 2,
  websocket: 3,
  method: 4,
  path: 5,
  query: 6,
};

/**
 * Makes rules ready: an index by host, so that a decision costs the labels of the host and not the rules. A rule that
 * could not have been loaded (an over-broad host, a broken pattern) matches nothing here either.
 */
export function compileRules(rules: readonly NetworkRule[] | undefined): CompiledRules {
  const named = indexHosts(
    (rules ?? []).flatMap((rule, index) => {
      const compiled = compileRule(rule, index);
      return compiled ? [compiled] : [];
    }),
  );
  return {
    decide(request) {
      const literal = canonicalAddress(request.host) !== undefined;
      const readings = pathReadings(request.path).map((reading) => reading.split("/"));
      const { likely, all } = named(request.host, literal, readings[0]?.[1]);
      let nearest: { compiled: Compiled; code: DenialCode } | undefined;
      for (const compiled of likely) {
        const code = failingStep(compiled, request, readings);
        if (code === undefined) return allowed(compiled);
        nearest = nearer(nearest, compiled, code);
      }
      // Denied: the others are asked for the nearest alone, and can come no nearer than to fail by their path.
      for (const compiled of likely === all ? [] : all) {
        const code = failingStep(compiled, request, readings) ?? "path";
        nearest = nearer(nearest, compiled, code);
        if (code === "path") break;
      }
      return deniedRequest(
        request,
        literal,
        nearest && { ...nearest, lacks: lacks(nearest.compiled, request, readings) },
      );
    },
    intercept(hostText, port) {
      const host = canonicalHost(hostText);
      if (!host.ok) return malformed(host.why);
      let open: Compiled | undefined;
      let nearest: { compiled: Compiled; code: DenialCode } | undefined;
      for (const compiled of named(host.host, host.literal).all) {
        const code = failingTlsStep(compiled.rule, port);
        if (code !== undefined) nearest = nearer(nearest, compiled, code);
        else if (compiled.rule.tls === "passthrough") return { ...allowed(compiled), mode: "passthrough" };
        else open ??= compiled;
      }
      if (open) return { ...allowed(open), mode: "open" };
      return deniedTls(host.host, port, host.literal, nearest);
    },
  };
}

type Near = { compiled: Compiled; code: DenialCode };

/** The nearer of two rules: the one whose failing step is later, and of equals the one that stands first. */
function nearer(known: Near | undefined, compiled: Compiled, code: DenialCode): Near {
  if (known === undefined) return { compiled, code };
  const further = depth[code] - depth[known.code];
  return further > 0 || (further === 0 && compiled.index < known.compiled.index) ? { compiled, code } : known;
}

/** Decides one request against rules. For many requests against the same rules, compile them once. */
export function decideRequest(rules: readonly NetworkRule[] | undefined, request: CanonicalRequest): Decision {
  return compileRules(rules).decide(request);
}

/** Decides TLS to a host and port against rules, as `CompiledRules.intercept` does. */
export function decideTls(rules: readonly NetworkRule[] | undefined, host: string, port: number): Interception {
  return compileRules(rules).intercept(host, port);
}

/** The decision about a request that has no canonical form. */
export function malformed(why: string): Denial {
  return {
    allow: false,
    code: "malformed",
    rule: "none",
    why,
    next: "# no policy can allow this spelling: send the request in its plain form",
  };
}

function compileRule(rule: NetworkRule, index: number): (Compiled & { host: string; wildcard: boolean }) | undefined {
  const host = hostPattern(rule.host);
  if (!host.ok) return undefined;
  if (host.literal && !(rule.addresses ?? []).some((address) => sameAddress(address, host.host))) return undefined;
  try {
    const globs = rule.paths?.flatMap((path) => compileGlob(path));
    const query = rule.query && compileQuery(rule.query);
    const name = `network[${index}] ${rule.host}`;
    const first = globs && firstSegments(globs);
    return { rule, index, name, globs, first, query, host: host.host, wildcard: host.wildcard };
  } catch {
    return undefined;
  }
}

/** One for all rules that name none, so that who is told of it can see that it is the same. */
const noAddresses: readonly string[] = [];

function allowed({ rule, index, name }: Compiled): Allowance {
  const { addresses = noAddresses, secret } = rule;
  return { allow: true, rule: name, index, addresses, ...(secret === undefined ? {} : { secret }) };
}

function failingStep(
  compiled: Compiled,
  request: CanonicalRequest,
  readings: readonly string[][],
): DenialCode | undefined {
  const { rule, query } = compiled;
  if (request.port !== (rule.port ?? (request.scheme === "https" ? 443 : 80))) return "port";
  // What a passthrough rule says of TLS, it does not say of plain http.
  const scheme = rule.tls === "passthrough" ? "https" : rule.scheme;
  if (scheme !== undefined && scheme !== request.scheme) return "scheme";
  if (rule.tls === "passthrough") return undefined;
  if (request.upgrade === "websocket" && rule.websocket !== true) return "websocket";
  if (rule.methods !== undefined && !(rule.methods as readonly string[]).includes(request.method)) return "method";
  if (!pathAllowed(compiled, readings)) return "path";
  return query === undefined || query(request.query) ? undefined : "query";
}

/** Everything that a request lacks to pass one rule, beside port and scheme. */
function lacks(compiled: Compiled, request: CanonicalRequest, readings: readonly string[][]): Set<DenialCode> {
  const { rule, query } = compiled;
  const missing = new Set<DenialCode>();
  if (request.upgrade === "websocket" && rule.websocket !== true) missing.add("websocket");
  if (rule.methods !== undefined && !(rule.methods as readonly string[]).includes(request.method))
    missing.add("method");
  if (!pathAllowed(compiled, readings)) missing.add("path");
  if (query !== undefined && !query(request.query)) missing.add("query");
  return missing;
}

/** Every reading of the path must be allowed, not only the one that we would choose. */
function pathAllowed({ globs, first }: Compiled, readings: readonly string[][]): boolean {
  if (globs === undefined) return true;
  for (const parts of readings) {
    if (first !== undefined && !first.has(parts[1] ?? "")) return false;
    if (!globs.some((glob) => glob.matchesParts(parts))) return false;
  }
  return true;
}

/** The first segments of patterns; undefined where one of them may be anything. */
function firstSegments(globs: readonly Glob[]): ReadonlySet<string> | undefined {
  const found = globs.map(({ segments }) => segments[1] ?? "");
  return found.every(isLiteral) ? new Set(found) : undefined;
}

function failingTlsStep(rule: NetworkRule, port: number): DenialCode | undefined {
  if (port !== (rule.port ?? 443)) return "port";
  return rule.scheme === "http" ? "scheme" : undefined;
}
