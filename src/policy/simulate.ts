/** A recorded delegation against another policy: which of its requests, writes and spending would have gone otherwise. */
import { type RuleDenial, ruleDenials } from "../domain/denial.ts";
import { SallyportError } from "../domain/error.ts";
import type { Policy } from "../domain/policy.ts";
import { showDuration, showSize } from "../domain/units.ts";
import { decideAsked, showAsked } from "./asked.ts";
import { compileRules } from "./decide.ts";
import { narrowPolicy } from "./narrow.ts";
import { pathMatcher, protectedMatcher } from "./paths.ts";
import { type Recorded, type RecordedRequest, replayOf } from "./recorded.ts";

export interface RequestChange {
  request: string;
  /** How often it was made. */
  times: number;
  was: "allow" | "deny";
  /** `unknown`: it depends on the query, which is not recorded. */
  would: "allow" | "deny" | "unknown";
  why: string;
}

export interface Simulation {
  /** Why the brief itself would be refused under the policy; undefined where it would be admitted. */
  refused?: string;
  requests: { same: number; changed: RequestChange[]; unknown: RequestChange[] };
  writes: { same: number; changed: { path: string; was: string; would: string }[] };
  spend: { what: string; used: string; limit: string }[];
}

/** Tries `policy` on what was recorded. Where the brief would be refused, it goes on with the policy as it is. */
export function simulate(policy: Policy, recorded: Recorded): Simulation {
  const { narrowed, refused } = narrow(policy, recorded);
  return {
    ...(refused === undefined ? {} : { refused }),
    requests: requests(narrowed, recorded),
    writes: writes(narrowed, recorded),
    spend: overspent(narrowed, recorded),
  };
}

/** Whether anything would have gone otherwise, or cannot be told. */
export function differs({
  refused,
  requests: { changed, unknown },
  writes: { changed: moved },
  spend,
}: Simulation): boolean {
  return refused !== undefined || changed.length + unknown.length + moved.length + spend.length > 0;
}

function narrow(policy: Policy, { brief }: Recorded): { narrowed: Policy; refused?: string } {
  try {
    return { narrowed: narrowPolicy(policy, brief) };
  } catch (error) {
    if (error instanceof SallyportError) return { narrowed: policy, refused: error.message };
    throw error;
  }
}

function requests(policy: Policy, { requests: made }: Recorded): Simulation["requests"] {
  const rules = compileRules(policy.network);
  // Twice: with the rules that speak of a query left out, and with their query left out. Between the two lies the truth.
  const fewer = compileRules(policy.network.filter((rule) => rule.query === undefined));
  const more = compileRules(policy.network.map(({ query: _, ...rule }) => rule));
  const found = new Map<string, RequestChange>();
  let same = 0;
  for (const request of made) {
    const judged = judge(request);
    if (judged === undefined || judged.would === request.decision) {
      same += 1;
      continue;
    }
    const key = JSON.stringify([judged.shown, request.decision, judged.would]);
    const known = found.get(key);
    if (known) known.times += 1;
    else
      found.set(key, { request: judged.shown, times: 1, was: request.decision, would: judged.would, why: judged.why });
  }
  const all = [...found.values()];
  return {
    same,
    changed: all.filter(({ would }) => would !== "unknown"),
    unknown: all.filter(({ would }) => would === "unknown"),
  };

  function judge(request: RecordedRequest): { shown: string; would: RequestChange["would"]; why: string } | undefined {
    const replay = replayOf(request);
    if ("own" in replay || "unreadable" in replay) return undefined;
    if ("model" in replay) {
      const there = Object.hasOwn(policy.models, replay.model);
      // A route that was there and denied was denied for something else, which a policy does not change.
      if (there && request.decision === "deny" && request.code !== "model-unknown") return undefined;
      return {
        shown: `${request.method} /model/${replay.model}/`,
        would: there ? "allow" : "deny",
        why: there ? `the model route ${replay.model}` : `no model route ${replay.model}`,
      };
    }
    const shown = showAsked(replay.asked) + (replay.query ? "?…" : "");
    const low = decideAsked(replay.query ? fewer : rules, replay.asked);
    if (low.allow) {
      // The rules let it pass before as well: it was refused for its address, its framing, or a budget.
      if (request.decision === "deny" && !ruleCodes.has(request.code)) return undefined;
      return { shown, would: "allow", why: low.rule };
    }
    const high = replay.query ? decideAsked(more, replay.asked) : low;
    if (high.allow)
      return { shown, would: "unknown", why: `it depends on the query, which is not recorded: ${high.rule}` };
    return { shown, would: "deny", why: high.why };
  }
}

/** Codes with which rules deny; other denials are not theirs. */
const ruleCodes: ReadonlySet<string> = new Set<RuleDenial>(ruleDenials.filter((code) => code !== "malformed"));

function writes(policy: Policy, { policy: old, changes }: Recorded): Simulation["writes"] {
  const before = pathJudge(old);
  const after = pathJudge(policy);
  const moved = [...new Set(changes.map(({ path }) => path))].map((path) => ({
    path,
    was: before(path),
    would: after(path),
  }));
  const changed = moved.filter(({ was, would }) => was !== would);
  return { same: moved.length - changed.length, changed };
}

function pathJudge({ filesystem }: Policy): (path: string) => string {
  const isProtected = protectedMatcher(filesystem.protected);
  const isWritable = pathMatcher(filesystem.writable);
  return (path) => (isProtected(path) ? "protected" : isWritable(path) ? "writable" : "not writable");
}

function overspent({ budget }: Policy, { spend }: Recorded): Simulation["spend"] {
  const shown = { wall: showDuration, requests: String, attempts: String, patch: showSize, output: showSize } as const;
  return (Object.keys(shown) as (keyof typeof shown)[])
    .filter((key) => spend[key] > budget[key])
    .map((key) => ({ what: `budget.${key}`, used: shown[key](spend[key]), limit: shown[key](budget[key]) }));
}
