/**
 * Rules found by host, and below a host by the first segment of their paths: a decision costs the labels of the host and the
 * few rules that can match, and not the rules there are.
 */
import type { Compiled } from "./decision.ts";

/** The rules that name a host. */
export interface Named {
  /** Those that can allow a path with this first segment, in order. */
  likely: readonly Compiled[];
  /** All of them, in order. */
  all: readonly Compiled[];
}

/** Finds rules; `literal` says that the host is an address, which no wildcard speaks of. */
export type HostIndex = (host: string, literal: boolean, first?: string) => Named;

interface Bucket {
  all: Compiled[];
  /** Rules by each first segment they name; rules that name none are in all of these as well. */
  byFirst: Map<string, Compiled[]>;
  open: Compiled[];
}

const none: Named = { likely: [], all: [] };

/** Makes the index. The rules come in the order of the policy. */
export function indexHosts(rules: readonly (Compiled & { host: string; wildcard: boolean })[]): HostIndex {
  const exact = new Map<string, Bucket>();
  const below = new Map<string, Bucket>();
  for (const compiled of rules) {
    const map = compiled.wildcard ? below : exact;
    let bucket = map.get(compiled.host);
    if (!bucket) {
      bucket = { all: [], byFirst: new Map(), open: [] };
      map.set(compiled.host, bucket);
    }
    add(bucket, compiled);
  }
  const pick = (bucket: Bucket, first: string | undefined): Named => ({
    all: bucket.all,
    likely: first === undefined ? bucket.all : (bucket.byFirst.get(first) ?? bucket.open),
  });
  return (host, literal, first) => {
    const own = exact.get(host);
    const found = own ? [pick(own, first)] : [];
    // `*.0.0.1` must never say anything about 127.0.0.1.
    for (let dot = literal ? -1 : host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
      const bucket = below.get(host.slice(dot + 1));
      if (bucket) found.push(pick(bucket, first));
    }
    if (found.length < 2) return found[0] ?? none;
    const inOrder = (key: keyof Named) => found.flatMap((named) => named[key]).sort((a, b) => a.index - b.index);
    return { likely: inOrder("likely"), all: inOrder("all") };
  };
}

function add({ all, byFirst, open }: Bucket, compiled: Compiled): void {
  all.push(compiled);
  if (compiled.first === undefined) {
    open.push(compiled);
    for (const list of byFirst.values()) list.push(compiled);
    return;
  }
  for (const segment of compiled.first) {
    let list = byFirst.get(segment);
    if (!list) {
      list = [...open];
      byFirst.set(segment, list);
    }
    list.push(compiled);
  }
}
