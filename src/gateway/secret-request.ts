/**
 * Where in a request a secret goes. Pure: from the placeholder in its one place to a plan that is filled with the value
 * once everything else in the request was found to hold no placeholder.
 */
import type { SecretBinding } from "../domain/policy.ts";
import type { BoundSecret } from "./secret-lane.ts";

/** The parts of a request that can carry something. */
export interface Carried {
  /** Names and values in turn. */
  headers: readonly string[];
  /** Path and query. */
  target: string;
}

/** A request without its placeholder, and how it looks with a value in that place. */
export interface Plan {
  rest: Carried;
  /** Whether the placeholder is there: a request under the rule may also go without. */
  used: boolean;
  fill(value: string): Carried;
}

/** Header fields in which clients send a key: a model route has its own, whatever the client sends. */
const keyFields: ReadonlySet<string> = new Set([
  "authorization",
  "x-api-key",
  "x-goog-api-key",
  "api-key",
  "x-auth-token",
  "proxy-authorization",
]);

/** The place of a secret under a network rule: exactly where the binding says and as it says, or nowhere. */
export function planBound(carried: Carried, { binding, placeholder }: BoundSecret): Plan {
  const absent: Plan = { rest: carried, used: false, fill: () => carried };
  if (binding.query !== undefined) {
    const pairs = pairsOf(carried.target);
    const at = pairs.findIndex(([name, value]) => plain(name) === binding.query && plain(value) === placeholder);
    if (at < 0) return absent;
    return {
      rest: { ...carried, target: withPairs(carried.target, pairs.toSpliced(at, 1)) },
      used: true,
      fill: (value) => {
        const filled = pairs.with(at, [pairs[at]?.[0] ?? "", encodeURIComponent(value)]);
        return { ...carried, target: withPairs(carried.target, filled) };
      },
    };
  }
  const field = fieldOf(binding);
  const { headers } = carried;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() !== field || !isForm(headers[at + 1] ?? "", binding, placeholder)) continue;
    return {
      rest: { ...carried, headers: headers.toSpliced(at, 2) },
      used: true,
      fill: (value) => ({ ...carried, headers: headers.with(at + 1, formed(binding, value)) }),
    };
  }
  return absent;
}

/** A model route's secret: put in whatever the client sent, and what it sent in a key's place is taken away. */
export function planRoute(carried: Carried, binding: SecretBinding): Plan {
  const field = binding.query === undefined ? fieldOf(binding) : "";
  const headers: string[] = [];
  for (let at = 0; at + 1 < carried.headers.length; at += 2) {
    const name = carried.headers[at] ?? "";
    const lower = name.toLowerCase();
    if (!keyFields.has(lower) && lower !== field) headers.push(name, carried.headers[at + 1] ?? "");
  }
  const pairs = pairsOf(carried.target);
  const kept = pairs.filter(([name]) => plain(name) !== binding.query);
  const target = kept.length === pairs.length ? carried.target : withPairs(carried.target, kept);
  const rest = { headers, target };
  return {
    rest,
    used: true,
    fill: (value) =>
      binding.query === undefined
        ? { headers: [...headers, field, formed(binding, value)], target }
        : { headers, target: withPairs(target, [...kept, [binding.query, encodeURIComponent(value)]]) },
  };
}

/** How the place of a secret is written, for a person. */
export function placeOf({ basic, header, form, query }: SecretBinding): string {
  if (query !== undefined) return `as the query parameter ${query}`;
  if (basic !== undefined) return `as the password of ${basic || "an empty user name"} in Basic authentication`;
  return `as the whole value of the header ${header ?? ""}${form === undefined ? "" : `, written ${form.replace("{}", "<placeholder>")}`}`;
}

function fieldOf(binding: SecretBinding): string {
  return binding.basic === undefined ? (binding.header ?? "").toLowerCase() : "authorization";
}

function formed(binding: SecretBinding, value: string): string {
  if (binding.basic !== undefined)
    return `Basic ${Buffer.from(`${binding.basic}:${value}`, "utf8").toString("base64")}`;
  // Not `replace` with a string: `$&` in a value would mean something.
  return (binding.form ?? "{}").split("{}").join(value);
}

/** Whether a header's value is the placeholder in its form; a scheme's name is the same in any case (RFC 9110 11.1). */
function isForm(found: string, binding: SecretBinding, placeholder: string): boolean {
  if (binding.basic !== undefined) {
    const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(found)?.[1];
    return (
      encoded !== undefined && Buffer.from(encoded, "base64").toString("utf8") === `${binding.basic}:${placeholder}`
    );
  }
  const wanted = formed(binding, placeholder);
  if (found === wanted) return true;
  const scheme = /^[A-Za-z]+ /.exec(wanted)?.[0].length ?? 0;
  return (
    found.slice(0, scheme).toLowerCase() === wanted.slice(0, scheme).toLowerCase() &&
    found.slice(scheme) === wanted.slice(scheme)
  );
}

type Pair = readonly [name: string, value: string | undefined];

/** The query's pairs, undecoded; a pair without `=` has no value. */
function pairsOf(target: string): Pair[] {
  const mark = target.indexOf("?");
  if (mark < 0) return [];
  return target
    .slice(mark + 1)
    .split("&")
    .map((pair): Pair => {
      const equals = pair.indexOf("=");
      return equals < 0 ? [pair, undefined] : [pair.slice(0, equals), pair.slice(equals + 1)];
    });
}

function withPairs(target: string, pairs: readonly Pair[]): string {
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = pairs.map(([name, value]) => (value === undefined ? name : `${name}=${value}`)).join("&");
  return query === "" ? path : `${path}?${query}`;
}

/** A name or value as the server will read it; as it stands where it cannot be decoded. */
function plain(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}
