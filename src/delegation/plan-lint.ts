/**
 * The lint of a plan, before anything runs: is the order sound, and is the work cut where it can be cut? Work that is cut
 * into more pieces than it has costs a sandbox, an executor and a verifier for each, and then fails as a whole.
 * Pure, over facts that were collected.
 */
import type { Plan, PlanBrief, PlanFinding } from "../domain/plan.ts";
import { showDuration } from "../domain/units.ts";
import { meetingPatterns } from "../policy/meet.ts";
import { pathMatcher } from "../policy/paths.ts";
import { type Coupling, type PlanFacts, predecessors } from "./plan-facts.ts";
import { isUncheckable } from "./vague.ts";

/** What a brief of the plan may write and spend, as its narrowed policy says. */
export interface BriefScope {
  writable: readonly string[];
  wall: number;
  requests: number;
}

export type PlanScopes = ReadonlyMap<string, BriefScope>;

/** Everything the lint finds, errors first. `strict` makes errors of the warnings. */
export function lintPlan(
  plan: Plan,
  scopes: PlanScopes,
  facts: PlanFacts,
  options: { strict?: boolean } = {},
): PlanFinding[] {
  const order = orderFindings(plan);
  const found = [
    ...order,
    ...titleFindings(plan),
    ...checkFindings(plan),
    ...budgetFindings(plan, scopes),
    // Who comes before whom means nothing in a circle.
    ...(order.length > 0 ? [] : scopeFindings(plan, scopes, facts)),
  ];
  const judged = found.map((one) => (options.strict ? { ...one, severity: "error" as const } : one));
  return [...judged.filter((one) => one.severity === "error"), ...judged.filter((one) => one.severity === "warning")];
}

const at = (plan: Plan, id: string, ...rest: (string | number)[]) => [
  "briefs",
  Math.max(
    0,
    plan.briefs.findIndex((brief) => brief.id === id),
  ),
  ...rest,
];

function orderFindings(plan: Plan): PlanFinding[] {
  const known = new Set(plan.briefs.map(({ id }) => id));
  const findings: PlanFinding[] = [];
  for (const brief of plan.briefs) {
    for (const [index, id] of brief.after.entries()) {
      if (known.has(id)) continue;
      findings.push({
        rule: "unknown-after",
        severity: "error",
        briefs: [brief.id],
        message: `${brief.id} comes after ${id}, which the plan does not have`,
        next: `Name one of ${[...known].filter((one) => one !== brief.id).join(", ") || "no brief: it is the only one"}.`,
        path: at(plan, brief.id, "after", index),
      });
    }
  }
  const before = predecessors(plan.briefs);
  const inCircle = plan.briefs.filter(({ id }) => before.get(id)?.has(id)).map(({ id }) => id);
  if (inCircle.length > 0) {
    findings.push({
      rule: "cycle",
      severity: "error",
      briefs: inCircle,
      message: `${inCircle.join(", ")} wait for each other: none of them could ever start`,
      next: "Take one `after` out, or make one brief of them.",
      path: at(plan, inCircle[0] ?? "", "after"),
    });
  }
  return findings;
}

function titleFindings(plan: Plan): PlanFinding[] {
  const findings: PlanFinding[] = [];
  const first = new Map<string, string>();
  for (const { id, title } of plan.briefs) {
    const key = title.normalize("NFKC").toLowerCase().replace(/\s+/g, " ");
    const other = first.get(key);
    first.set(key, other ?? id);
    if (other === undefined) continue;
    findings.push({
      rule: "duplicate-title",
      severity: "error",
      briefs: [other, id],
      message: `${other} and ${id} have the same title`,
      next: "Say what is different in each title; where nothing is, leave one brief out.",
      path: at(plan, id, "title"),
    });
  }
  return findings;
}

function checkFindings(plan: Plan): PlanFinding[] {
  const all = [
    ...plan.briefs.flatMap((brief) =>
      brief.accept.map((criterion, index) => ({
        criterion,
        briefs: [brief.id],
        path: at(plan, brief.id, "accept", index, "must"),
      })),
    ),
    ...plan.accept.map((criterion, index) => ({ criterion, briefs: [], path: ["accept", index, "must"] })),
  ];
  return all
    .filter(({ criterion }) => isUncheckable(criterion))
    .map(({ criterion, briefs, path }) => ({
      rule: "uncheckable" as const,
      severity: "warning" as const,
      briefs,
      message: `${[...briefs, criterion.id].join("-")}: nobody could tell whether "${criterion.must.slice(0, 200)}" is met`,
      next: "Add a check (`run`, `absent` or `test`), or name what can be seen: a value, a file, a test.",
      path,
    }));
}

/** The briefs' worst cases must fit: so the plan's budget holds without anybody counting while they run. */
function budgetFindings(plan: Plan, scopes: PlanScopes): PlanFinding[] {
  const findings: PlanFinding[] = [];
  for (const key of ["wall", "requests"] as const) {
    const limit = plan.budget?.[key];
    if (limit === undefined || scopes.size === 0) continue;
    const asked = [...scopes.values()].reduce((sum, scope) => sum + scope[key], 0);
    if (asked <= limit) continue;
    const show = (amount: number) => (key === "wall" ? showDuration(amount) : String(amount));
    findings.push({
      rule: "over-budget",
      severity: "error",
      briefs: [...scopes.keys()],
      message: `budget.${key}: the briefs may spend ${show(asked)} together, the plan ${show(limit)}`,
      next: `Give the briefs budgets of their own (budget: { ${key}: … }) that fit, or raise the plan's.`,
      path: ["budget", key],
    });
  }
  return findings;
}

interface Reach {
  brief: PlanBrief;
  writable: readonly string[];
  paths: ReadonlySet<string>;
}

function scopeFindings(plan: Plan, scopes: PlanScopes, facts: PlanFacts): PlanFinding[] {
  const before = predecessors(plan.briefs);
  const ordered = (a: PlanBrief, b: PlanBrief) => before.get(a.id)?.has(b.id) || before.get(b.id)?.has(a.id);
  const reaches = plan.briefs.map((brief): Reach => {
    const writable = scopes.get(brief.id)?.writable ?? brief.writable ?? [];
    return { brief, writable, paths: new Set(facts.paths.filter(pathMatcher(writable))) };
  });
  const findings: PlanFinding[] = [];
  const parts = new Map(plan.briefs.map(({ id }) => [id, id]));
  const partOf = (id: string): string => {
    const parent = parts.get(id) ?? id;
    return parent === id ? id : partOf(parent);
  };
  for (const [index, a] of reaches.entries()) {
    for (const b of reaches.slice(index + 1)) {
      const overlap = overlapOf(a, b);
      const coupled = overlap ? [] : couplingsOf(a, b, facts.couplings);
      if (!overlap && coupled.length === 0) continue;
      // Another executor or another policy is a reason for two briefs on one part.
      const sameHands = String(a.brief.executor) === String(b.brief.executor) && a.brief.policy === b.brief.policy;
      if (sameHands || !ordered(a.brief, b.brief)) parts.set(partOf(b.brief.id), partOf(a.brief.id));
      if (ordered(a.brief, b.brief)) continue;
      findings.push(overlap ? overlapFinding(plan, a, b, overlap) : couplingFinding(plan, a, b, coupled));
    }
  }
  const groups = Map.groupBy(plan.briefs, ({ id }) => partOf(id));
  findings.push(...splitFindings(plan, [...groups.values()]));
  return findings;
}

function overlapOf(a: Reach, b: Reach): string | undefined {
  const shared = [...a.paths].filter((path) => b.paths.has(path));
  if (shared.length > 0) {
    const more = shared.length > 3 ? ` and ${shared.length - 3} more` : "";
    return `${shared.slice(0, 3).join(", ")}${more}`;
  }
  const meeting = meetingPatterns(a.writable, b.writable);
  if (!meeting) return undefined;
  return meeting[0] === meeting[1] ? `what ${meeting[0]} matches` : `what both ${meeting.join(" and ")} match`;
}

function overlapFinding(plan: Plan, a: Reach, b: Reach, shared: string): PlanFinding {
  const [one, other] = [a.brief.id, b.brief.id];
  return {
    rule: "overlap",
    severity: "error",
    briefs: [one, other],
    message: `${one} and ${other} may both write ${shared}, and neither comes after the other: what they make may not merge`,
    next: `Narrow \`writable\` of one, let ${other} come after ${one} (after: [${one}]), or make one brief of the two.`,
    path: at(plan, other, "writable"),
  };
}

function couplingsOf(a: Reach, b: Reach, couplings: readonly Coupling[]): Coupling[] {
  return couplings.filter((c) => (a.paths.has(c.a) && b.paths.has(c.b)) || (a.paths.has(c.b) && b.paths.has(c.a)));
}

const showCoupling = ({ a, b, why }: Coupling) =>
  why.is === "imports" ? `${a} imports ${b}` : `${a} and ${b} changed together in ${why.commits} of ${why.of} commits`;

function couplingFinding(plan: Plan, a: Reach, b: Reach, coupled: readonly Coupling[]): PlanFinding {
  const [one, other] = [a.brief.id, b.brief.id];
  const more = coupled.length > 3 ? `, and ${coupled.length - 3} more` : "";
  return {
    rule: "coupling",
    severity: "warning",
    briefs: [one, other],
    message: `${one} and ${other} cut through what belongs together: ${coupled.slice(0, 3).map(showCoupling).join("; ")}${more}`,
    next: `Make one brief of the two, or let ${other} come after ${one} (after: [${one}]) so that it sees what was made.`,
    path: at(plan, other, "after"),
  };
}

function splitFindings(plan: Plan, groups: readonly PlanBrief[][]): PlanFinding[] {
  const [only] = plan.briefs;
  if (plan.briefs.length === 1 && only) {
    return [
      {
        rule: "single",
        severity: "warning",
        briefs: [only.id],
        message: "a plan of one brief is verified twice, and gains nothing by it",
        next: "Hand it over as it is: `sallyport delegate BRIEF`.",
        path: ["briefs"],
      },
    ];
  }
  if (groups.length === plan.briefs.length) return [];
  const shown = groups.map((group) => group.map(({ id }) => id).join("+")).join(", ");
  const merge = groups.filter((group) => group.length > 1).map((group) => group.map(({ id }) => id).join(" and "));
  return [
    {
      rule: "over-split",
      severity: "warning",
      briefs: groups.filter((group) => group.length > 1).flatMap((group) => group.map(({ id }) => id)),
      message: `${plan.briefs.length} briefs for ${groups.length} separable part${groups.length === 1 ? "" : "s"} (${shown})`,
      next: `Make one brief each of ${merge.join("; of ")}, unless the order is the point.`,
      path: ["briefs"],
    },
  ];
}
