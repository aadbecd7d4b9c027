/** Proofs that one pattern or rule allows nothing that another does not. Sound and incomplete: "no" may mean "cannot tell". */
import type { NetworkRule } from "../domain/policy.ts";
import { sameAddress } from "./address.ts";
import { compileGlob, type Glob, globProblem, isLiteral } from "./glob.ts";
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

/** Whether every request that `child` allows is allowed by `parent`, provably. */
export function ruleCovered(child: NetworkRule, parent: NetworkRule): boolean {
  return (
    hostCovered(child.host, parent.host) &&
    [...services(child)].every((service) => services(parent).has(service)) &&
    (parent.methods === undefined || (child.methods?.every((method) => parent.methods?.includes(method)) ?? false)) &&
    // A rule without paths also allows tunnels, which `/**` does not: left out is more than every path.
    (parent.paths === undefined || (child.paths?.every((path) => patternCovered(path, parent.paths ?? [])) ?? false)) &&
    addressesCovered(child.addresses, parent.addresses)
  );
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
function services(rule: NetworkRule): Set<string> {
  const schemes = rule.scheme ? [rule.scheme] : (["http", "https"] as const);
  return new Set(schemes.map((scheme) => `${scheme}:${rule.port ?? (scheme === "https" ? 443 : 80)}`));
}

function addressesCovered(child: readonly string[] | undefined, parent: readonly string[] | undefined): boolean {
  // A parent that names addresses may mean these and no public ones: a child that names none is then not proved.
  if (child === undefined) return parent === undefined;
  return child.every((address) => parent?.some((other) => sameAddress(address, other)) ?? false);
}
