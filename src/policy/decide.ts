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
import { compileGlob, type Glob } from "./glob.ts";
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
const steps: readonly DenialCode[] = ["no-rule", "port", "scheme", "websocket", "method", "path", "query"];

/**
 * Makes rules ready: an index by host, so that a decision costs the labels of the host and not the rules. A rule that
 * could not have been loaded (an over-broad host, a broken pattern) matches nothing here either.
 */
export function compileRules(rules: readonly NetworkRule[] | undefined): CompiledRules {
  const exact = new Map<string, Compiled[]>();
  const below = new Map<string, Compiled[]>();
  (rules ?? []).forEach((rule, index) => {
    const compiled = compileRule(rule, index);
    if (!compiled) return;
    const { host, wildcard } = compiled;
    const map = wildcard ? below : exact;
    const list = map.get(host);
    if (list) list.push(compiled);
    else map.set(host, [compiled]);
  });

  const candidates = (host: string, literal: boolean): readonly Compiled[] => {
    const named = exact.get(host) ?? [];
    const found = [...named];
    // A wildcard speaks of names; `*.0.0.1` must never say anything about 127.0.0.1.
    for (let dot = literal ? -1 : host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
      found.push(...(below.get(host.slice(dot + 1)) ?? []));
    }
    return found.length === named.length ? named : found.sort((a, b) => a.index - b.index);
  };

  return {
    decide(request) {
      const literal = canonicalAddress(request.host) !== undefined;
      const readings = readOnce(request.path);
      let nearest: { compiled: Compiled; code: DenialCode } | undefined;
      for (const compiled of candidates(request.host, literal)) {
        const code = failingStep(compiled, request, readings);
        if (code === undefined) return allowed(compiled);
        if (nearest === undefined || steps.indexOf(code) > steps.indexOf(nearest.code)) nearest = { compiled, code };
      }
      return deniedRequest(request, literal, nearest && { ...nearest, lacks: lacks(nearest.compiled, request) });
    },
    intercept(hostText, port) {
      const host = canonicalHost(hostText);
      if (!host.ok) return malformed(host.why);
      let open: Compiled | undefined;
      let nearest: { compiled: Compiled; code: DenialCode } | undefined;
      for (const compiled of candidates(host.host, host.literal)) {
        const code = failingTlsStep(compiled.rule, port);
        if (code === undefined) {
          if (compiled.rule.tls === "passthrough") return { ...allowed(compiled), mode: "passthrough" };
          open ??= compiled;
        } else if (nearest === undefined || steps.indexOf(code) > steps.indexOf(nearest.code)) {
          nearest = { compiled, code };
        }
      }
      if (open) return { ...allowed(open), mode: "open" };
      return deniedTls(host.host, port, host.literal, nearest);
    },
  };
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
    return { rule, index, name, globs, query, host: host.host, wildcard: host.wildcard };
  } catch {
    return undefined;
  }
}

function allowed({ rule, index, name }: Compiled): Allowance {
  const { addresses = [], secret } = rule;
  return { allow: true, rule: name, index, addresses, ...(secret === undefined ? {} : { secret }) };
}

function failingStep(compiled: Compiled, request: CanonicalRequest, readings: () => string[]): DenialCode | undefined {
  const { rule, globs, query } = compiled;
  if (request.port !== (rule.port ?? (request.scheme === "https" ? 443 : 80))) return "port";
  // What a passthrough rule says of TLS, it does not say of plain http.
  const scheme = rule.tls === "passthrough" ? "https" : rule.scheme;
  if (scheme !== undefined && scheme !== request.scheme) return "scheme";
  if (rule.tls === "passthrough") return undefined;
  if (request.upgrade === "websocket" && rule.websocket !== true) return "websocket";
  if (rule.methods !== undefined && !(rule.methods as readonly string[]).includes(request.method)) return "method";
  if (globs !== undefined && !pathAllowed(globs, readings())) return "path";
  return query === undefined || query(request.query) ? undefined : "query";
}

/** Everything that a request lacks to pass one rule, beside port and scheme. */
function lacks({ rule, globs, query }: Compiled, request: CanonicalRequest): Set<DenialCode> {
  const missing = new Set<DenialCode>();
  if (request.upgrade === "websocket" && rule.websocket !== true) missing.add("websocket");
  if (rule.methods !== undefined && !(rule.methods as readonly string[]).includes(request.method))
    missing.add("method");
  if (globs !== undefined && !pathAllowed(globs, pathReadings(request.path))) missing.add("path");
  if (query !== undefined && !query(request.query)) missing.add("query");
  return missing;
}

/** Every reading of the path must be allowed, not only the one that we would choose. */
function pathAllowed(globs: readonly Glob[], readings: readonly string[]): boolean {
  return readings.every((reading) => globs.some((glob) => glob.matches(reading)));
}

/** The readings of a path, made when a rule first asks for them. */
function readOnce(path: string): () => string[] {
  let readings: string[] | undefined;
  return () => {
    readings ??= pathReadings(path);
    return readings;
  };
}

function failingTlsStep(rule: NetworkRule, port: number): DenialCode | undefined {
  if (port !== (rule.port ?? 443)) return "port";
  return rule.scheme === "http" ? "scheme" : undefined;
}
