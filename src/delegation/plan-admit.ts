/** Admission of a plan: every brief of it as if it came alone, the lint, and the combined whole. Nothing has run yet. */

import { candidatesOf, checkFiles as checkFilesSchema } from "../domain/brief.ts";
import { SallyportError } from "../domain/error.ts";
import type { Admitted, EventData } from "../domain/event.ts";
import type { PermittedNames } from "../domain/mission.ts";
import { mostCriteria, type Plan, type PlanBrief, type PlanFinding, plan as planSchema } from "../domain/plan.ts";
import type { Policy } from "../domain/policy.ts";
import { digestValue } from "../gate/digest.ts";
import { cut } from "../gate/printable.ts";
import { narrowPolicy } from "../policy/narrow.ts";
import type { HostRepository } from "../worktree/host-repository.ts";
import {
  type AdmissionTools,
  admit,
  findJudges,
  loadVerifiers,
  neededFiles,
  openNamed,
  refuseCredentials,
  requireRoute,
  resolveTarget,
} from "./admit.ts";
import { collectFacts } from "./collect-facts.ts";
import { partyOf, requireIndependence } from "./independence.ts";
import { inOrder } from "./plan-advance.ts";
import { type BriefScope, lintPlan } from "./plan-lint.ts";

/** What a planner sends. */
export interface PlanRequest {
  repository: string;
  base?: string | undefined;
  onto?: string | undefined;
  plan: unknown;
  checkFiles?: unknown;
  /** Whether a warning of the lint refuses the plan too. */
  strict?: boolean | undefined;
}

export interface PlanAdmissionTools extends AdmissionTools {
  /** Draws a delegation's id. */
  newId(): string;
  /** What the plan may name; left out: what any brief may. */
  permitted?: PermittedNames;
}

function invalid(found: string, next: string): SallyportError {
  return new SallyportError("plan-invalid", found, { next });
}

/** A plan by its schema. Throws `plan-invalid`. */
export function parsePlan(value: unknown): Plan {
  const parsed = planSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.map(String).join(".") || "plan"}: ${issue.message}`,
  );
  throw invalid(cut(problems.slice(0, 20).join("; "), 4000), "See the form of a plan in docs/planning.md.");
}

/** A finding as a line for people. */
export function showFinding({ severity, rule, message, next }: PlanFinding): string {
  return `${severity} (${rule}): ${message}. ${next}`;
}

/** Refuses a plan in which the lint found an error. Throws `plan-invalid` with every one of them. */
export function refuseErrors(findings: readonly PlanFinding[]): void {
  const errors = findings.filter(({ severity }) => severity === "error");
  const [first] = errors;
  if (!first) return;
  throw invalid(
    cut(errors.length === 1 ? first.message : errors.map(({ message }) => message).join("; "), 4000),
    cut(errors.length === 1 ? first.next : errors.map(({ next }) => next).join(" "), 2000),
  );
}

/** A plan that a planner harness wrote names what the operator permits it, and nothing else. Throws `mission-refused`. */
export function refuseUnpermitted(plan: Plan, permitted: PermittedNames): void {
  const named = [
    ...plan.briefs.flatMap((brief) => [
      { where: `${brief.id}.policy`, name: brief.policy, among: permitted.policies },
      ...candidatesOf(brief).map((name) => ({ where: `${brief.id}.executor`, name, among: permitted.executors })),
    ]),
    ...(plan.policy === undefined ? [] : [{ where: "policy", name: plan.policy, among: permitted.policies }]),
  ];
  const wrong = named.find(({ name, among }) => !among.includes(name));
  if (!wrong) return;
  throw new SallyportError("mission-refused", `${wrong.where}: ${wrong.name} may not be named here`, {
    next: `Name one of: ${wrong.among.join(", ")}.`,
  });
}

/** The brief as `delegate` would take it: as it was written, since admission reads its amounts by itself. */
export function alone(brief: object): object {
  const { id: _id, after: _after, ...rest } = brief as Partial<PlanBrief>;
  return rest;
}

/** Says which brief of the plan an error is about. */
async function named<T>(id: string, work: () => Promise<T>, at?: string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    throw new SallyportError(error.code, `${at ? `${at} ` : ""}${id}: ${error.message}`, {
      next: error.next,
      cause: error,
      ...(at ? { at } : {}),
    });
  }
}

/** What each brief may write and spend under its policy. Errors as `narrowPolicy`, with the brief's id and, by `where`, its place. */
export async function scopesOf(
  plan: Plan,
  loadPolicy: (name: string) => Promise<Policy>,
  where?: (index: number) => string,
): Promise<Map<string, BriefScope>> {
  const scopes = new Map<string, BriefScope>();
  for (const [index, brief] of plan.briefs.entries()) {
    const narrow = async () => narrowPolicy(await loadPolicy(brief.policy), brief);
    const { filesystem, budget } = await named(brief.id, narrow, where?.(index));
    scopes.set(brief.id, { writable: filesystem.writable, wall: budget.wall, requests: budget.requests });
  }
  return scopes;
}

/** Checks a plan from every side and settles what its delegations run with. Errors: those of `admit`, `plan-invalid`. */
export async function admitPlan(request: PlanRequest, tools: PlanAdmissionTools): Promise<EventData<"plan.accepted">> {
  refuseCredentials({ ...request, brief: request.plan });
  const plan = parsePlan(request.plan);
  if (tools.permitted) refuseUnpermitted(plan, tools.permitted);
  const files = checkFilesSchema.safeParse(request.checkFiles ?? {});
  if (!files.success)
    throw invalid("the files of the checks are not base64 by name", "Send them with `sallyport plan run`.");
  const repository = await openNamed(request, tools);
  const { commit, target } = await resolveTarget(request, repository, tools);
  const findings = lintPlan(
    plan,
    await scopesOf(plan, tools.loadPolicy),
    await collectFacts(await tools.openQuarantine(repository), commit),
    { strict: request.strict === true },
  );
  refuseErrors(findings);

  const where = { repository: repository.path, base: commit, onto: target, checkFiles: files.data };
  const briefs: EventData<"plan.accepted">["briefs"] = [];
  const written = (request.plan as { briefs: object[] }).briefs;
  for (const [index, brief] of plan.briefs.entries()) {
    const { base: _base, ...admitted } = await named(brief.id, () =>
      admit({ ...where, brief: alone(written[index] ?? {}) }, tools, { later: brief.after.length > 0 }),
    );
    briefs.push({ id: brief.id, delegation: tools.newId(), admitted });
  }
  const combined = await admitWhole(plan, briefs, { repository, target, files: files.data }, tools);
  return {
    repository: repository.path,
    base: commit,
    ref: target,
    planner: tools.planner,
    plan,
    findings,
    briefs,
    combined: { delegation: tools.newId(), admitted: combined },
  };
}

/** The policy of the combined whole: named, or the one that all briefs have. */
function wholePolicyName(plan: Plan): string {
  const names = new Set(plan.briefs.map((brief) => brief.policy));
  const [only] = names;
  const name = plan.policy ?? (names.size === 1 ? only : undefined);
  if (name !== undefined) return name;
  throw invalid(
    `the briefs have ${names.size} policies (${[...names].join(", ")}), and none is named for the combined whole`,
    "Add `policy: NAME` to the plan: its tests and its verifier judge the whole.",
  );
}

/** The combined whole as a delegation of its own: all criteria, all that the briefs may write, no executor. */
export async function admitWhole(
  plan: Plan,
  briefs: EventData<"plan.accepted">["briefs"],
  place: { repository: HostRepository; target: string; files: Record<string, string> },
  tools: PlanAdmissionTools,
): Promise<Admitted> {
  const order = inOrder(plan.briefs);
  const accept = [
    ...order.flatMap((brief) => brief.accept.map((c) => ({ ...c, id: `${brief.id}-${c.id}` }))),
    ...plan.accept,
  ];
  const ceiling = await tools.loadPolicy(wholePolicyName(plan));
  const brief = {
    title: plan.title,
    intent: plan.intent,
    instructions: `The approved proposals of ${order.map(({ id }) => id).join(", ")} together.`,
    accept: accept.slice(0, mostCriteria),
    executor: "none",
    policy: ceiling.name,
    breaks: [...new Set(plan.briefs.flatMap((one) => one.breaks))],
  };
  const narrowed = narrowPolicy(ceiling, { ...brief, accept: plan.accept });
  const policy: Policy = {
    ...narrowed,
    filesystem: {
      ...narrowed.filesystem,
      // Each of these is within the policy of its brief, which is the operator's too.
      writable: [...new Set(briefs.flatMap(({ admitted }) => admitted.policy.filesystem.writable))],
    },
  };
  // The whole may be used for as long as the most short-lived of its briefs.
  const ends = briefs.flatMap(({ admitted }) => admitted.policy.landing?.expires ?? []);
  const expires = Math.min(...ends, policy.landing?.expires ?? Number.POSITIVE_INFINITY);
  if (Number.isFinite(expires)) policy.landing = { ...policy.landing, expires };
  // What one of its briefs leaves out is not done with the whole.
  const kept = plan.briefs.flatMap(({ actions }) => (actions ? [new Set(actions)] : []));
  if (policy.actions && kept.length > 0) {
    const all = Object.entries(policy.actions).filter(([name]) => kept.every((names) => names.has(name)));
    policy.actions = Object.fromEntries(all);
  }
  const verifiers = await loadVerifiers(tools, policy);
  const judges = await findJudges(tools, policy, verifiers);
  // Who did a part of the work does not judge the whole (ATTACKS V8).
  for (const { admitted } of briefs) {
    const images = admitted.candidates ?? [{ executor: "", image: admitted.images.executor }];
    for (const [index, name] of candidatesOf(admitted.brief).entries()) {
      const executor = partyOf(await tools.loadHarness(name), images[index]?.image);
      requireIndependence(policy.verifier, judges.parties, [executor]);
    }
  }
  for (const verifier of verifiers) requireRoute(verifier, policy);
  return {
    repository: place.repository.path,
    ref: place.target,
    planner: tools.planner,
    brief,
    checkFiles: neededFiles(accept, place.files),
    policy,
    policyDigest: digestValue(policy),
    briefDigest: digestValue(brief),
    images: {
      tester: await tools.findImage(policy.tests?.image ?? "base"),
      ...judges.images,
    },
    ...judges.panel,
  };
}
