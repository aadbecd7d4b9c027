/** A network rule as people write it: one line of YAML. */
import type { NetworkRule } from "../domain/policy.ts";

/** A rule as one line of YAML, its keys in the order of the schema. */
export function showRule(rule: NetworkRule): string {
  const fields = ruleFields(rule).map(([key, value]) => `${key}: ${value}`);
  return `- { ${fields.join(", ")} }`;
}

/** The fields of a rule that are there, each value as YAML in one line. */
export function ruleFields(rule: NetworkRule): [key: string, value: string][] {
  const { host, port, scheme, methods, paths, query, websocket, tls, secret, addresses } = rule;
  const fields: [string, string | undefined][] = [
    ["host", quoted(host)],
    ["port", port?.toString()],
    ["scheme", scheme],
    ["methods", methods && list(methods)],
    ["paths", paths && list(paths)],
    ["query", query && record(query)],
    ["websocket", websocket?.toString()],
    ["tls", tls],
    ["secret", secret && quoted(secret)],
    ["addresses", addresses && list(addresses)],
  ];
  return fields.filter((field): field is [string, string] => field[1] !== undefined);
}

/** A text as YAML: plain where no YAML reads it as anything else, else in double quotes, all in ASCII. */
export function quoted(text: string): string {
  const plain = /^[A-Za-z][A-Za-z0-9._-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text);
  // YAML takes U+0085, U+2028 and U+2029 for line breaks in older versions: nothing but ASCII leaves here.
  return plain ? text : JSON.stringify(text).replace(/[^\u0020-\u007e]/g, escapeUnit);
}

const escapeUnit = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
const list = (items: readonly string[]) => `[${items.map(quoted).join(", ")}]`;
const record = (entries: Readonly<Record<string, string>>) => {
  const pairs = Object.entries(entries).map(([key, value]) => `${quoted(key)}: ${quoted(value)}`);
  return pairs.length === 0 ? "{}" : `{ ${pairs.join(", ")} }`;
};
