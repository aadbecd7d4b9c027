/** What changes on one model route, in words. A change that is not provably less counts as one that may be more. */
import { canonicalJson } from "../domain/canonical.ts";
import { modelMatches } from "../domain/model.ts";
import type { ModelRoute } from "../domain/policy.ts";

export interface RouteChange {
  effect: "allows" | "denies" | "changes";
  text: string;
}

/** Every difference between two forms of the route `name`. */
export function routeChanges(name: string, old: ModelRoute, now: ModelRoute): RouteChange[] {
  const of = (key: string) => `the ${key} of the model route ${name}`;
  const show = (value: unknown) =>
    value === undefined ? "none" : typeof value === "string" ? value : JSON.stringify(value);
  const same = (key: keyof ModelRoute) => canonicalJson(old[key] ?? null) === canonicalJson(now[key] ?? null);
  const other = (["base", "secret", "addresses", "protocol", "prices", "quota"] as const)
    .filter((key) => !same(key))
    .map((key): RouteChange => ({ effect: "changes", text: `${of(key)}: ${show(old[key])} -> ${show(now[key])}` }));
  if (same("prices") && !same("table"))
    other.push({ effect: "changes", text: `the price table ${now.prices} of the model route ${name}` });
  return [
    ...other,
    ...less(old.allow ?? [], now.allow ?? []).map(
      (one): RouteChange => ({ effect: "denies", text: `${one} on the model route ${name}` }),
    ),
    ...less(now.allow ?? [], old.allow ?? []).map(
      (one): RouteChange => ({ effect: "allows", text: `${one} on the model route ${name}` }),
    ),
    ...modelChanges(name, old.models, now.models),
    ...outputChange(of("output"), old.output, now.output),
  ];
}

function less(from: readonly string[], there: readonly string[]): string[] {
  return from.filter((one) => !there.includes(one));
}

function modelChanges(
  name: string,
  old: readonly string[] | undefined,
  now: readonly string[] | undefined,
): RouteChange[] {
  const text = (globs: readonly string[] | undefined) =>
    globs === undefined ? "any model" : `the models ${globs.join(", ")}`;
  // A glob is within another where that matches its text with the stars in it.
  const beyond = (globs: readonly string[] | undefined, others: readonly string[] | undefined) => {
    if (others === undefined) return undefined;
    if (globs === undefined) return text(undefined);
    const more = globs.filter((glob) => !others.some((one) => modelMatches(one, glob)));
    return more.length === 0 ? undefined : text(more);
  };
  const more = beyond(now, old);
  const fewer = beyond(old, now);
  return [
    ...(more === undefined ? [] : [{ effect: "allows" as const, text: `${more} on the model route ${name}` }]),
    ...(fewer === undefined ? [] : [{ effect: "denies" as const, text: `${fewer} on the model route ${name}` }]),
  ];
}

function outputChange(what: string, old: number | undefined, now: number | undefined): RouteChange[] {
  const most = (value: number | undefined) => value ?? Number.POSITIVE_INFINITY;
  if (most(old) === most(now)) return [];
  const effect = most(now) > most(old) ? "allows" : "denies";
  return [{ effect, text: `${what}: ${old ?? "as asked"} -> ${now ?? "as asked"}` }];
}
