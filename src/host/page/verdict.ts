/** A verdict as a page shows it, each criterion with the words that it is about. Pure. */
import type { VerdictPage } from "../../domain/page-parts.ts";
import type { Evidence, Verdict } from "../../domain/verdict.ts";
import { line, shown } from "./text.ts";

function pointer(evidence: Evidence): Evidence {
  if ("path" in evidence) return { ...evidence, path: line(evidence.path, 4000) };
  return "test" in evidence ? { test: line(evidence.test, 900) } : { check: line(evidence.check, 60) };
}

/** Whose it is, what it says, and the criteria that it answers. */
export function verdictOf(
  who: { by: string; member: boolean; digest: string | undefined },
  verdict: Verdict,
  criteria: readonly { id: string; must: string }[],
): VerdictPage {
  const musts = new Map(criteria.map(({ id, must }) => [id, must]));
  const { by, member, digest } = who;
  return {
    by,
    member,
    ...(digest === undefined ? {} : { digest }),
    decision: verdict.decision,
    criteria: verdict.criteria.map(({ id, status, why, evidence }) => {
      const must = musts.get(id);
      return {
        id: line(id, 16),
        ...(must === undefined ? {} : { must: shown(must) }),
        status,
        why: shown(why),
        evidence: evidence.map(pointer),
      };
    }),
    refutations: verdict.refutations.map(({ tried, how, found, detail }) => ({
      tried: shown(tried, 2000),
      ...(how === undefined ? {} : { how: shown(how) }),
      found,
      detail: shown(detail),
    })),
    feedback: verdict.feedback.map(({ path, line: at, what, why, blocking }) => ({
      ...(path === undefined ? {} : { path: line(path, 4000) }),
      ...(at === undefined ? {} : { line: at }),
      what: shown(what),
      why: shown(why),
      ...(blocking === undefined ? {} : { blocking }),
    })),
  };
}
