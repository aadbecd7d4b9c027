/** The smallest rule that would let a denied request pass, as one line of YAML: what a denial says next. */
import { httpMethod, type NetworkRule } from "../domain/policy.ts";
import { pathReadings, urlPatternProblem } from "./canonical-path.ts";
import type { CanonicalRequest } from "./canonical-request.ts";

/** A rule that allows this one request and no other. */
export function suggestRule(request: CanonicalRequest, literal: boolean): string {
  const standard = request.port === (request.scheme === "https" ? 443 : 80);
  const paths = pathPatterns(request.path);
  return showRule({
    host: request.host,
    ...(standard ? {} : { port: request.port }),
    ...(request.scheme === "http" || !standard ? { scheme: request.scheme } : {}),
    ...(known(request.method) ? { methods: [request.method] } : {}),
    ...(paths ? { paths } : {}),
    ...(literal ? { addresses: [request.host] } : {}),
  });
}

/** `rule` widened by only what the request lacks: its method, its path, or both. */
export function suggestWider(
  request: CanonicalRequest,
  rule: NetworkRule,
  index: number,
  lacks: { method: boolean; path: boolean },
): string {
  const { methods, paths, ...rest } = rule;
  const wider: NetworkRule = { ...rest };
  const method = request.method;
  if (methods && !lacks.method) wider.methods = methods;
  else if (methods && known(method)) wider.methods = [...methods, method];
  const more = lacks.path ? pathPatterns(request.path) : [];
  if (paths && more) wider.paths = [...paths, ...more];
  return `${showRule(wider)}  # in place of network[${index}]`;
}

/** A rule that allows an unopened tunnel to a host and port. */
export function suggestTunnel(host: string, port: number, literal: boolean): string {
  const rule = {
    host,
    ...(port === 443 ? {} : { port }),
    scheme: "https" as const,
    ...(literal ? { addresses: [host] } : {}),
  };
  return `${showRule(rule)}  # every method and path of this host`;
}

/** A rule as one line of YAML, its keys in the order of the schema. */
export function showRule(rule: NetworkRule): string {
  const quoted = (text: string) => (/^[A-Za-z][A-Za-z0-9._-]*$/.test(text) ? text : JSON.stringify(text));
  const list = (items: readonly string[]) => `[${items.map(quoted).join(", ")}]`;
  const fields = [`host: ${quoted(rule.host)}`];
  if (rule.port !== undefined) fields.push(`port: ${rule.port}`);
  if (rule.scheme !== undefined) fields.push(`scheme: ${rule.scheme}`);
  if (rule.methods !== undefined) fields.push(`methods: ${list(rule.methods)}`);
  if (rule.paths !== undefined) fields.push(`paths: ${list(rule.paths)}`);
  if (rule.addresses !== undefined) fields.push(`addresses: ${list(rule.addresses)}`);
  return `- { ${fields.join(", ")} }`;
}

/** Methods that a rule can name; another one is allowed only by a rule that names none. */
function known(method: string): method is NonNullable<NetworkRule["methods"]>[number] {
  return (httpMethod.options as readonly string[]).includes(method);
}

/**
 * Patterns that match a path in all its readings; characters with a meaning become `?`, one character each. Undefined
 * where no pattern can: then only a rule without paths allows it.
 */
function pathPatterns(path: string): string[] | undefined {
  const patterns = pathReadings(path).map((reading) => reading.replace(/[*?(){}[\]\\]/g, "?"));
  const usable = patterns.every(
    (pattern) => pattern !== "" && pattern.length <= 1024 && urlPatternProblem(pattern) === undefined,
  );
  return usable ? [...new Set(patterns)] : undefined;
}
