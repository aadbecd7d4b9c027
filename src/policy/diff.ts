/** What changes from one policy to another, in words: what becomes allowed, what becomes denied, and what is only other. */
import { canonicalJson } from "../domain/canonical.ts";
import { approvalLifetime, type Policy } from "../domain/policy.ts";
import { showDuration, showMoney, showSize } from "../domain/units.ts";
import { patternCovered } from "./cover.ts";
import { routeChanges } from "./diff-route.ts";
import { rulesBeyond, showExample } from "./diff-rules.ts";
import { pathMatcher } from "./paths.ts";
import { samplePaths } from "./rule-parts.ts";

export interface Change {
  /** `allows`: the new policy gives more. `denies`: it gives less. `changes`: neither can be said. */
  effect: "allows" | "denies" | "changes";
  /** The part of the policy, such as `network`. */
  section:
    | "network"
    | "models"
    | "secrets"
    | "filesystem"
    | "budget"
    | "stuck"
    | "sandbox"
    | "tests"
    | "verifier"
    | "landing"
    | "actions";
  /** Whether it is proved; else it is only possible. */
  certain: boolean;
  text: string;
  /** A request that one allows and the other denies. */
  example?: string;
}

/** All changes from `before` to `after`. None means: provably, nothing that `after` allows was denied, nor the other way. */
export function diffPolicies(before: Policy, after: Policy): Change[] {
  return [
    ...network(before, after, "allows"),
    ...network(after, before, "denies"),
    ...models(before, after),
    ...secrets(before, after),
    ...filesystem(before, after),
    ...amounts(before, after),
    ...stuck(before, after),
    ...landing(before, after),
    ...actions(before, after),
    ...others(before, after),
  ];
}

/** Whether a policy gives anything that another does not provably give. */
export function widens(changes: readonly Change[]): boolean {
  return changes.some(({ effect }) => effect !== "denies");
}

function network(from: Policy, to: Policy, effect: "allows" | "denies"): Change[] {
  return rulesBeyond(to.network, from.network).map(({ what, whole, example, text }) => ({
    effect,
    section: what === "secret" ? "secrets" : "network",
    certain: whole || example !== undefined || what === "tunnel",
    text: text + (example && !whole ? " (in part)" : ""),
    ...(example ? { example: showExample(example) } : {}),
  }));
}

function models(before: Policy, after: Policy): Change[] {
  return names(before.models, after.models).flatMap((name): Change[] => {
    const old = own(before.models, name);
    const now = own(after.models, name);
    const change = (effect: Change["effect"], text: string): Change => ({
      effect,
      section: "models",
      certain: true,
      text,
    });
    if (!old)
      return [
        change(
          "allows",
          `the model route ${name} to ${now?.base}${now?.secret ? ` with the secret ${now.secret}` : ""}${now?.allow?.length ? `, and ${now.allow.join(", ")}` : ""}`,
        ),
      ];
    if (!now) return [change("denies", `the model route ${name} to ${old.base}`)];
    if (canonicalJson(old) === canonicalJson(now)) return [];
    return routeChanges(name, old, now).map(({ effect, text }) => change(effect, text));
  });
}

function secrets(before: Policy, after: Policy): Change[] {
  return names(before.secrets, after.secrets).flatMap((name): Change[] => {
    const old = own(before.secrets, name);
    const now = own(after.secrets, name);
    const change = (effect: Change["effect"], text: string): Change => ({
      effect,
      section: "secrets",
      certain: true,
      text,
    });
    if (!old) return [change("allows", `the secret ${name} is held (from ${now?.from})`)];
    if (!now) return [change("denies", `the secret ${name} is held`)];
    const keys = names(old, now).filter((key) => !same(old[key as keyof typeof old], now[key as keyof typeof now]));
    return keys.map((key) =>
      change(
        "changes",
        `\`${key}\` of the secret ${name}: ${show(old[key as keyof typeof old])} -> ${show(now[key as keyof typeof now])}`,
      ),
    );
  });
}

function filesystem(before: Policy, after: Policy): Change[] {
  const was = before.filesystem;
  const is = after.filesystem;
  const change = (effect: Change["effect"], text: string, certain: boolean): Change => ({
    effect,
    section: "filesystem",
    certain,
    text,
  });
  const beyond = (
    key: "visible" | "writable",
    patterns: readonly string[],
    others: readonly string[],
    effect: Change["effect"],
  ) => {
    const there = pathMatcher(others);
    return patterns
      .filter((pattern) => !patternCovered(pattern, others))
      .map((pattern) =>
        change(
          effect,
          `${key}: ${pattern}`,
          samplePaths(pattern).some((path) => pathMatcher([pattern])(path) && !there(path)),
        ),
      );
  };
  // A pattern of `protected` without a slash holds at every depth.
  const deep = (patterns: readonly string[]) =>
    new Set(patterns.flatMap((p) => (p.includes("/") ? [p] : [p, `**/${p}`])));
  const unguarded = (patterns: readonly string[], others: readonly string[]) => {
    const guarded = deep(others);
    return patterns.filter((pattern) => !guarded.has(pattern));
  };
  return [
    ...(["visible", "writable"] as const).flatMap((key) => [
      ...beyond(key, is[key], was[key], "allows"),
      ...beyond(key, was[key], is[key], "denies"),
    ]),
    ...unguarded(was.protected, is.protected).map((pattern) =>
      change("allows", `protected no more: ${pattern}`, false),
    ),
    ...unguarded(is.protected, was.protected).map((pattern) => change("denies", `protected: ${pattern}`, false)),
  ];
}

const amountText: Record<string, (value: number) => string> = {
  wall: showDuration,
  patch: showSize,
  output: showSize,
  memory: showSize,
  disk: showSize,
  silence: showDuration,
  upstream: showDuration,
  usd: showMoney,
};

function amounts(before: Policy, after: Policy): Change[] {
  return (["budget", "sandbox"] as const).flatMap((section) => {
    const old = before[section] as Record<string, number | string>;
    const now = after[section] as Record<string, number | string>;
    return names(old, now).flatMap((key): Change[] => {
      const a = old[key];
      const b = now[key];
      if (a === b) return [];
      const text = (value: number | string | undefined) =>
        typeof value === "number" ? (amountText[key] ?? String)(value) : String(value ?? "no cap");
      // The amounts that may be left out are caps: without one there is no end.
      const [was, is] = [a ?? Number.POSITIVE_INFINITY, b ?? Number.POSITIVE_INFINITY];
      const effect = typeof was !== "number" || typeof is !== "number" ? "changes" : is > was ? "allows" : "denies";
      return [{ effect, section, certain: true, text: `${section}.${key}: ${text(a)} -> ${text(b)}` }];
    });
  });
}

/** Thresholds: a larger one lets an executor go on for longer, and none, which 0 says too, for as long as it likes. */
function stuck(before: Policy, after: Policy): Change[] {
  const old: Record<string, number | undefined> = before.stuck ?? {};
  const now: Record<string, number | undefined> = after.stuck ?? {};
  return names(old, now).flatMap((key): Change[] => {
    const [a, b] = [old[key] || Number.POSITIVE_INFINITY, now[key] || Number.POSITIVE_INFINITY];
    if (a === b) return [];
    const text = (value: number) => (Number.isFinite(value) ? (amountText[key] ?? String)(value) : "not watched");
    const effect = b > a ? "allows" : "denies";
    return [{ effect, section: "stuck", certain: true, text: `stuck.${key}: ${text(a)} -> ${text(b)}` }];
  });
}

/** An approval that ends later can be used for longer. */
function landing(before: Policy, after: Policy): Change[] {
  const [a, b] = [before.landing?.expires ?? approvalLifetime, after.landing?.expires ?? approvalLifetime];
  if (a === b) return [];
  const text = `landing.expires: ${showDuration(a)} -> ${showDuration(b)}`;
  return [{ effect: b > a ? "allows" : "denies", section: "landing", certain: true, text }];
}

function actions(before: Policy, after: Policy): Change[] {
  const [was, is] = [before.actions ?? {}, after.actions ?? {}];
  return names(was, is)
    .filter((name) => !same(own(was, name), own(is, name)))
    .map((name): Change => {
      const effect = !own(was, name) ? "allows" : !own(is, name) ? "denies" : "changes";
      return {
        effect,
        section: "actions",
        certain: true,
        text: `the action ${name}${effect === "changes" ? " is another" : ""}`,
      };
    });
}

function others(before: Policy, after: Policy): Change[] {
  return (["tests", "verifier"] as const).flatMap((section) => {
    const old = (before[section] ?? {}) as Record<string, unknown>;
    const now = (after[section] ?? {}) as Record<string, unknown>;
    return names(old, now)
      .filter((key) => !same(old[key], now[key]))
      .map(
        (key): Change => ({
          effect: "changes",
          section,
          certain: true,
          text: `${section}.${key}: ${show(old[key])} -> ${show(now[key])}`,
        }),
      );
  });
}

function names(a: object, b: object): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])];
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
const show = (value: unknown) =>
  value === undefined ? "none" : typeof value === "string" ? value : JSON.stringify(value);
