/**
 * A rule cut into parts that are compared one by one: one scheme and port and one method each. A rule for GET and POST is
 * covered by one for GET beside one for POST, which no comparison of whole rules would see. Paths stay together: the
 * readings of one path may need several patterns of one rule, and two rules with a pattern each do not allow it.
 */
import { httpMethod, type NetworkRule } from "../domain/policy.ts";
import { type CanonicalRequest, canonicalRequest } from "./canonical-request.ts";
import { services } from "./cover.ts";
import { hostPattern } from "./wildcard.ts";

const samplesMax = 400;

/** The parts of a rule. Together they allow exactly what the rule allows. */
export function ruleParts(rule: NetworkRule): NetworkRule[] {
  const { methods, scheme: _, port: __, ...rest } = rule;
  return [...services(rule)].flatMap((service) => {
    const [scheme, port] = service.split(":") as ["http" | "https", string];
    return (methods ?? [undefined]).map((method) => ({
      ...rest,
      scheme,
      port: Number(port),
      ...(method ? { methods: [method] } : {}),
    }));
  });
}

/** Requests that a rule allows: a few of each kind that its patterns make likely. */
export function sampleRequests(rule: NetworkRule): CanonicalRequest[] {
  const host = hostPattern(rule.host);
  if (!host.ok) return [];
  const hosts = host.wildcard ? [`a.${host.host}`, `b.a.${host.host}`] : [host.host];
  const methods = rule.methods ?? [...httpMethod.options, "PROPFIND"];
  const paths = rule.paths?.flatMap(samplePaths) ?? ["/", "/a", "/a/b/c"];
  const queries = rule.query === undefined ? ["", "a=1"] : [sampleQuery(rule.query)];
  const found: CanonicalRequest[] = [];
  for (const service of services(rule)) {
    const [scheme = "", port] = service.split(":");
    for (const name of hosts) {
      for (const path of paths) {
        for (const method of methods) {
          for (const query of queries) {
            for (const upgrade of rule.websocket && method === "GET"
              ? [undefined, "websocket" as const]
              : [undefined]) {
              const target = query === "" ? path : `${path}?${query}`;
              const made = canonicalRequest({
                method,
                scheme,
                host: name,
                port: Number(port),
                path: target,
                ...(upgrade ? { upgrade } : {}),
              });
              if (made.ok) found.push(made.request);
              if (found.length >= samplesMax) return found;
            }
          }
        }
      }
    }
  }
  return found;
}

/** Texts that a pattern matches, a short one and a long one. */
export function samplePaths(pattern: string): string[] {
  const one = (globstar: string, run: string) =>
    pattern
      .replace(/\[([^\]])[^\]]*\]/g, "$1")
      .replace(/\{([^,}]*)[^}]*\}/g, "$1")
      .replace(/\*\*/g, "\u0000")
      .replace(/\*/g, run)
      .replace(/\?/g, "a")
      .replaceAll("\u0000", globstar);
  return [...new Set([one("a", "a"), one("a/b/c", "a-b.1")])];
}

function sampleQuery(query: Readonly<Record<string, string>>): string {
  const value = (pattern: string) =>
    pattern
      .replace(/\[([^\]])[^\]]*\]/g, "$1")
      .replace(/\{([^,}]*)[^}]*\}/g, "$1")
      .replace(/[*?]/g, "a");
  return Object.entries(query)
    .map(([name, pattern]) => `${encodeURIComponent(name)}=${encodeURIComponent(value(pattern))}`)
    .join("&");
}
