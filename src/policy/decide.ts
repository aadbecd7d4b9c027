/**
 * The one decision about a request: which rule allows it, or why none does. Pure; whoever enforces it gets it injected.
 * No rules, an empty list and a list that names something else are the same answer: denied.
 */
import type { NetworkRule } from "../domain/policy.ts";
import { canonicalAddress, sameAddress } from "./address.ts";
import { canonicalHost } from "./canonical-host.ts";
import { pathReadings } from "./canonical-path.ts";
import type { CanonicalRequest } from "./canonical-request.ts";
import { compileGlob, type Glob } from "./glob.ts";
import { suggestRule, suggestTunnel, suggestWider } from "./suggest.ts";
import { hostPattern } from "./wildcard.ts";

export type DenialCode = "no-rule" | "method" | "path" | "port" | "scheme" | "tunnel" | "malformed";

/** `addresses` are the exact addresses beside the public ones that the allowing rule lets the name resolve to. */
export type Decision =
  | { allow: true; rule: string; index: number; addresses: readonly string[] }
  | { allow: false; code: DenialCode; rule: string; why: string; next: string };

/** Rules made ready for many decisions. */
export interface CompiledRules {
  /** Decides one canonical request. */
  decide(request: CanonicalRequest): Decision;
  /** Decides a CONNECT that will not be opened: only a rule without methods and paths can vouch for what is inside. */
  tunnel(host: string, port: number): Decision;
}

interface Compiled {
  rule: NetworkRule;
  index: number;
  name: string;
  globs: Glob[] | undefined;
}

/** How far a request got through one rule: the later the failing step, the nearer the rule. */
const steps: readonly DenialCode[] = ["no-rule", "port", "scheme", "tunnel", "method", "path"];

/**
 * Makes rules ready: an index by host, so that a decision costs the labels of the host and not the rules. A rule that
 * could not have been loaded (an over-broad host, a broken pattern) matches nothing here either.
 */
export function compileRules(rules: readonly NetworkRule[] | undefined): CompiledRules {
  const exact = new Map<string, Compiled[]>();
  const below = new Map<string, Compiled[]>();
  (rules ?? []).forEach((rule, index) => {
    const host = hostPattern(rule.host);
    if (!host.ok) return;
    let globs: Glob[] | undefined;
    try {
      globs = rule.paths?.flatMap((path) => compileGlob(path));
    } catch {
      return;
    }
    if (host.literal && !(rule.addresses ?? []).some((address) => sameAddress(address, host.host))) return;
    const map = host.wildcard ? below : exact;
    const compiled = { rule, index, name: `network[${index}] ${rule.host}`, globs };
    const list = map.get(host.host);
    if (list) list.push(compiled);
    else map.set(host.host, [compiled]);
  });

  const candidates = (host: string, literal: boolean): Compiled[] => {
    const found = [...(exact.get(host) ?? [])];
    // A wildcard speaks of names; `*.0.0.1` must never say anything about 127.0.0.1.
    for (let dot = literal ? -1 : host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
      found.push(...(below.get(host.slice(dot + 1)) ?? []));
    }
    return found.length > 1 ? found.sort((a, b) => a.index - b.index) : found;
  };

  return {
    decide(request) {
      const literal = canonicalAddress(request.host) !== undefined;
      let nearest: { compiled: Compiled; code: DenialCode } | undefined;
      for (const compiled of candidates(request.host, literal)) {
        const code = failingStep(compiled, request);
        if (code === undefined) return allowed(compiled);
        if (nearest === undefined || steps.indexOf(code) > steps.indexOf(nearest.code)) nearest = { compiled, code };
      }
      return denied(request, literal, nearest);
    },
    tunnel(hostText, port) {
      const host = canonicalHost(hostText);
      if (!host.ok) return malformed(host.why);
      let nearest: { compiled: Compiled; code: DenialCode } | undefined;
      for (const compiled of candidates(host.host, host.literal)) {
        const code = failingTunnelStep(compiled.rule, port);
        if (code === undefined) return allowed(compiled);
        if (nearest === undefined || steps.indexOf(code) > steps.indexOf(nearest.code)) nearest = { compiled, code };
      }
      const why = nearest ? tunnelWhy(nearest.code, nearest.compiled, port) : `no rule names the host ${host.host}`;
      return {
        allow: false,
        code: nearest?.code ?? "no-rule",
        rule: nearest?.compiled.name ?? "none",
        why,
        next: suggestTunnel(host.host, port, host.literal),
      };
    },
  };
}

/** Decides one request against rules. For many requests against the same rules, compile them once. */
export function decideRequest(rules: readonly NetworkRule[] | undefined, request: CanonicalRequest): Decision {
  return compileRules(rules).decide(request);
}

/** Decides one unopened CONNECT against rules. The host may come in any spelling. */
export function decideTunnel(rules: readonly NetworkRule[] | undefined, host: string, port: number): Decision {
  return compileRules(rules).tunnel(host, port);
}

/** The decision about a request that has no canonical form. */
export function malformed(why: string): Decision {
  return {
    allow: false,
    code: "malformed",
    rule: "none",
    why,
    next: "# no policy can allow this spelling: send the request in its plain form",
  };
}

function allowed({ rule, index, name }: Compiled): Decision {
  return { allow: true, rule: name, index, addresses: rule.addresses ?? [] };
}

function failingStep({ rule, globs }: Compiled, request: CanonicalRequest): DenialCode | undefined {
  if (request.port !== (rule.port ?? (request.scheme === "https" ? 443 : 80))) return "port";
  if (rule.scheme !== undefined && rule.scheme !== request.scheme) return "scheme";
  if (rule.methods !== undefined && !(rule.methods as readonly string[]).includes(request.method)) return "method";
  return pathAllowed({ globs }, request.path) ? undefined : "path";
}

/** Every reading of the path must be allowed, not only the one that we would choose. */
function pathAllowed({ globs }: Pick<Compiled, "globs">, path: string): boolean {
  return globs === undefined || pathReadings(path).every((reading) => globs.some((glob) => glob.matches(reading)));
}

function failingTunnelStep(rule: NetworkRule, port: number): DenialCode | undefined {
  if (port !== (rule.port ?? 443)) return "port";
  if (rule.scheme === "http") return "scheme";
  return rule.methods !== undefined || rule.paths !== undefined ? "tunnel" : undefined;
}

function tunnelWhy(code: DenialCode, { rule, name }: Compiled, port: number): string {
  if (code === "port")
    return `${name} allows a tunnel to port ${rule.scheme === "http" ? "none" : (rule.port ?? 443)}, not ${port}`;
  if (code === "scheme") return `${name} is for plain http, which needs no tunnel`;
  return `${name} speaks of ${rule.paths ? "paths" : "methods"}, which cannot be seen inside a tunnel`;
}

function denied(
  request: CanonicalRequest,
  literal: boolean,
  nearest: { compiled: Compiled; code: DenialCode } | undefined,
): Decision {
  if (nearest === undefined) {
    const why = `no rule names the ${literal ? "address" : "host"} ${request.host}`;
    return { allow: false, code: "no-rule", rule: "none", why, next: suggestRule(request, literal) };
  }
  const { compiled, code } = nearest;
  const { rule, index, name } = compiled;
  const why = {
    port: `${name} allows port ${rule.port ?? (request.scheme === "https" ? 443 : 80)} for ${request.scheme}, not ${request.port}`,
    scheme: `${name} allows ${rule.scheme} only, not ${request.scheme}`,
    method: `${name} allows ${rule.methods?.join(", ")}, not ${request.method}`,
    path: pathWhy(name, rule, request.path),
  }[code as "port" | "scheme" | "method" | "path"];
  // Another port or scheme is another service: a rule of its own, instead of moving the one that works.
  const next =
    code === "port" || code === "scheme"
      ? suggestRule(request, literal)
      : suggestWider(request, rule, index, {
          method: rule.methods !== undefined && !(rule.methods as readonly string[]).includes(request.method),
          path: !pathAllowed(compiled, request.path),
        });
  return { allow: false, code, rule: name, why, next };
}

function pathWhy(name: string, rule: NetworkRule, path: string): string {
  const readings = pathReadings(path);
  const other =
    readings.length > 1 ? ` (some servers read it as ${readings.slice(1).join(" or ") || "something else"})` : "";
  return `${name} allows the paths ${rule.paths?.join(", ")}, not ${path}${other}`;
}
