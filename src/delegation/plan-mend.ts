/** Admission of a mended brief: in place of a stuck one of a plan that runs, under every rule that a plan is under. */
import { checkFiles as checkFilesSchema } from "../domain/brief.ts";
import { SallyportError } from "../domain/error.ts";
import type { EventData } from "../domain/event.ts";
import type { PlanRecord } from "../domain/plan-record.ts";
import { admit, openNamed, refuseCredentials } from "./admit.ts";
import { collectFacts } from "./collect-facts.ts";
import {
  admitWhole,
  alone,
  type PlanAdmissionTools,
  parsePlan,
  refuseErrors,
  refuseUnpermitted,
  scopesOf,
} from "./plan-admit.ts";
import { lintPlan } from "./plan-lint.ts";

function invalid(found: string): SallyportError {
  const next = 'Post { "briefs": [BRIEF] } with the one brief that you mend, under its own id.';
  return new SallyportError("plan-invalid", found, { next });
}

/** The one brief that was posted: `{ "briefs": [BRIEF] }`, as in a plan. */
function postedBrief(posted: unknown, brief: string): object {
  const briefs = (posted as { briefs?: unknown } | null)?.briefs;
  const [only, ...others] = Array.isArray(briefs) ? (briefs as unknown[]) : [];
  if (typeof only !== "object" || only === null || others.length > 0) throw invalid("one brief is asked for");
  if ((only as { id?: unknown }).id !== brief) throw invalid(`the brief to mend is ${brief}`);
  return only;
}

/**
 * Checks a mended brief: alone as `admit` does, and with the rest of its plan by the lint. What it comes after stays as it
 * was: others count on it. Errors: those of `admitPlan`.
 */
export async function admitMended(
  record: PlanRecord,
  brief: string,
  posted: unknown,
  checkFiles: unknown,
  tools: PlanAdmissionTools,
): Promise<EventData<"plan.mended">> {
  const { repository: path, base, ref } = record;
  refuseCredentials({ repository: path, brief: posted, checkFiles });
  const before = record.plan.briefs.find(({ id }) => id === brief);
  if (!before) throw invalid(`the plan has no ${brief}`);
  const written = postedBrief(posted, brief);
  const { title, intent } = record.plan;
  const [mended] = parsePlan({ title, intent, briefs: [{ ...written, after: [] }] }).briefs;
  if (!mended) throw invalid("one brief is asked for");
  const briefs = record.plan.briefs.map((one) => (one.id === brief ? { ...mended, after: before.after } : one));
  const plan = { ...record.plan, briefs };
  if (tools.permitted) refuseUnpermitted(plan, tools.permitted);
  const sent = checkFilesSchema.safeParse(checkFiles ?? {});
  if (!sent.success) throw invalid("the files of the checks are not base64 by name");
  const repository = await openNamed({ repository: path }, tools);
  const facts = await collectFacts(await tools.openQuarantine(repository), base);
  const findings = lintPlan(plan, await scopesOf(plan, tools.loadPolicy), facts, { strict: false });
  refuseErrors(findings);
  // What other briefs brought along is there already.
  const files = { ...record.combined.admitted.checkFiles, ...sent.data };
  const request = { repository: repository.path, base, onto: ref, brief: alone(written), checkFiles: files };
  const { base: _base, ...admitted } = await admit(request, tools, { later: before.after.length > 0 });
  const delegation = tools.newId();
  const all = record.briefs.map((one) => (one.id === brief ? { id: brief, delegation, admitted } : one));
  const combined = await admitWhole(plan, all, { repository, target: ref, files }, tools);
  return { brief, plan, delegation, admitted, combined, findings };
}
