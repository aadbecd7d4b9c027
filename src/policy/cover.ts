/** Proofs that one pattern or rule allows nothing that another does not. Sound and incomplete: "no" may mean "cannot tell". */
import type { NetworkRule } from "../domain/policy.ts";
import { sameAddress } from "./address.ts";
import { compileGlob, compileTextGlob, type Glob, globProblem, isLiteral, textGlobProblem } from "./glob.ts";
import { hostPattern } from "./wildcard.ts";

/** Whether every path that `child` matches is matched by one of `parents`, provably. A broken pattern proves nothing. */
export function patternCovered(child: string, parents: readonly string[]): boolean {
  if (globProblem(child) !== undefined) return false;
  const allowing = parents
    .filter((parent) => globProblem(parent) === undefined)
    .flatMap((parent) => compileGlob(parent));
  return compileGlob(child).every((glob) => allowing.some((parent) => globCovered(glob, parent)));
}

function globCovered(child: Glob, parent: Glob): boolean {
  if (child.segments.every(isLiteral)) return parent.matches(child.segments.join("/"));
  const open = parent.segments.at(-1) === "**";
  const prefix = open ? parent.segments.slice(0, -1) : parent.segments;
  const rest = child.segments.length - prefix.length;
  // `prefix/**` takes any one segment or more: what follows the prefix must be there, and then may be anything.
  if (open ? rest < 1 : rest !== 0) return false;
  return prefix.every((part, index) => segmentCovered(child.segments[index] ?? "", part));
}

function segmentCovered(child: string, parent: string): boolean {
  if (child === parent) return true;
  if (child === "**" || child === "") return false;
  if (parent === "*") return true;
  return isLiteral(child) && parent !== "**" && compileGlob(parent).some((glob) => glob.matches(child));
}

/**
 * Whether `parent` gives everything that `child` gives, provably: its requests, the addresses that the name may resolve to,
 * and the secret that they may carry.
 */
export function ruleCovered(child: NetworkRule, parent: NetworkRule): boolean {
  return (
    requestsCovered(child, parent) &&
    addressesCovered(child.addresses, parent.addresses) &&
    (child.secret === undefined || child.secret === parent.secret)
  );
}

/** Whether every request that `child` allows is allowed by `parent`, provably; where to, and with what, is not asked. */
export function requestsCovered(child: NetworkRule, parent: NetworkRule): boolean {
  if (!hostCovered(child.host, parent.host)) return false;
  if (![...services(child)].every((service) => services(parent).has(service))) return false;
  // A tunnel for a pinned client carries anything: it covers what is read, and nothing that is read covers it.
  if (parent.tls === "passthrough") return true;
  if (child.tls === "passthrough") return false;
  return (
    (parent.methods === undefined || (child.methods?.every((method) => parent.methods?.includes(method)) ?? false)) &&
    // Left out is more than every path: a path that has no settled reading is matched by no pattern.
    (parent.paths === undefined || (child.paths?.every((path) => patternCovered(path, parent.paths ?? [])) ?? false)) &&
    queryCovered(child.query, parent.query) &&
    (child.websocket !== true || parent.websocket === true)
  );
}

type Query = NetworkRule["query"];

/** `query` names exactly what must be there: another set of names is another set of requests. */
function queryCovered(child: Query, parent: Query): boolean {
  if (parent === undefined) return true;
  if (child === undefined || Object.keys(child).length !== Object.keys(parent).length) return false;
  return Object.entries(child).every(([name, inner]) => {
    const outer = Object.hasOwn(parent, name) ? parent[name] : undefined;
    if (outer === undefined || textGlobProblem(inner) || textGlobProblem(outer)) return false;
    return inner === outer || outer === "*" || (isLiteral(inner) && compileTextGlob(outer)(inner));
  });
}

function hostCovered(child: string, parent: string): boolean {
  const inner = hostPattern(child);
  const outer = hostPattern(parent);
  if (!inner.ok || !outer.ok) return false;
  if (!outer.wildcard) return !inner.wildcard && inner.host === outer.host;
  if (inner.literal) return false;
  return inner.host.endsWith(`.${outer.host}`) || (inner.wildcard && inner.host === outer.host);
}

/** What a rule reaches as `scheme:port`; a port that is left out is the scheme's own. */
export function services(rule: NetworkRule): Set<string> {
  const only = rule.tls === "passthrough" ? "https" : rule.scheme;
  const schemes = only ? [only] : (["http", "https"] as const);
  return new Set(schemes.map((scheme) => `${scheme}:${rule.port ?? (scheme === "https" ? 443 : 80)}`));
}

function addressesCovered(child: readonly string[] | undefined, parent: readonly string[] | undefined): boolean {
  // A parent that names addresses may mean these and no public ones: a child that names none is then not proved.
  if (child === undefined) return parent === undefined;
  return child.every((address) => parent?.some((other) => sameAddress(address, other)) ?? false);
}
