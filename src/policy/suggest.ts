/** The smallest rule that would let a denied request pass, as one line of YAML: what a denial says next. */
import { httpMethod, type NetworkRule } from "../domain/policy.ts";
import { pathReadings, urlPatternProblem } from "./canonical-path.ts";
import type { CanonicalRequest } from "./canonical-request.ts";
import type { DenialCode } from "./decision.ts";
import { exactGlob, textGlobProblem } from "./glob.ts";
import { readQuery } from "./query.ts";
import { showRule } from "./show-rule.ts";

/**
 * A rule of its own for one request. `near` is the rule that all but allows it: the addresses it names are named here
 * too, and where it speaks of the query, so does this one. Its secret is never carried over.
 */
export function suggestRule(request: CanonicalRequest, literal: boolean, near?: NetworkRule): string {
  const standard = request.port === (request.scheme === "https" ? 443 : 80);
  const paths = exactPaths(request.path);
  const query = near?.query && exactQuery(request.query);
  const addresses = literal ? [request.host] : near?.addresses;
  return showRule({
    host: request.host,
    ...(standard ? {} : { port: request.port }),
    scheme: request.scheme,
    ...(nameable(request.method) ? { methods: [request.method] } : {}),
    ...(paths ? { paths } : {}),
    ...(query ? { query } : {}),
    ...(request.upgrade === "websocket" ? { websocket: true } : {}),
    ...(addresses ? { addresses } : {}),
  });
}

/** Whether what a request lacks can be added to a rule that already speaks of it. */
export function canWiden(request: CanonicalRequest, lacks: ReadonlySet<DenialCode>): boolean {
  return !(lacks.has("method") && !nameable(request.method)) && !(lacks.has("path") && !exactPaths(request.path));
}

/** `rule` widened by the one thing that the request lacks: its method, its path, or that it opens a WebSocket. */
export function suggestWider(
  request: CanonicalRequest,
  rule: NetworkRule,
  index: number,
  lacks: ReadonlySet<DenialCode>,
): string {
  const wider: NetworkRule = { ...rule };
  const method = request.method;
  if (lacks.has("websocket")) wider.websocket = true;
  if (lacks.has("method") && rule.methods && nameable(method)) wider.methods = [...rule.methods, method];
  if (lacks.has("path") && rule.paths) wider.paths = [...rule.paths, ...(exactPaths(request.path) ?? [])];
  return `${showRule(wider)}  # in place of network[${index}]`;
}

/** A rule that lets TLS to a host and port be opened, for reading. */
export function suggestOpen(host: string, port: number, literal: boolean): string {
  const rule: NetworkRule = {
    host,
    ...(port === 443 ? {} : { port }),
    scheme: "https",
    methods: ["GET", "HEAD"],
    ...(literal ? { addresses: [host] } : {}),
  };
  return `${showRule(rule)}  # each request inside is decided: name the methods and paths that it needs`;
}

/** Methods that a rule can name; another one is allowed only by a rule that names none. */
export function nameable(method: string): method is NonNullable<NetworkRule["methods"]>[number] {
  return (httpMethod.options as readonly string[]).includes(method);
}

/**
 * Patterns that match a path in all its readings and nothing that has another one. Undefined where no pattern can: then
 * only a rule without paths allows it.
 */
export function exactPaths(path: string): string[] | undefined {
  const patterns = pathReadings(path).map((reading) => exactGlob(reading));
  const usable = patterns.every(
    (pattern) => pattern && pattern.length <= 1024 && urlPatternProblem(pattern) === undefined,
  );
  return usable ? [...new Set(patterns as string[])] : undefined;
}

/** The `query` of a rule for this query alone; a value that no pattern can say exactly is `*`. */
function exactQuery(query: string): Record<string, string> | undefined {
  const found = readQuery(query);
  if (!found) return undefined;
  const exact = ([value = "", ...others]: readonly string[]) => {
    const pattern = others.length === 0 ? exactGlob(value) : undefined;
    return pattern === undefined || pattern.length > 1024 || textGlobProblem(pattern) ? "*" : pattern;
  };
  return Object.fromEntries([...found].map(([name, values]) => [name, exact(values)]));
}
