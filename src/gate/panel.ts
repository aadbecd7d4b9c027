/** A panel of verifiers: who judges, when it is decided, and what the whole says. None sees another's verdict. Pure. */
import type { Delegation } from "../domain/delegation.ts";
import type { Finding } from "../domain/rejection.ts";
import type { Verdict } from "../domain/verdict.ts";

/** A verifier of a delegation: its harness and image. */
export interface Judge {
  harness: string;
  image: string;
}

/** The verifiers of a delegation, in the order in which they are asked; one where the policy has no panel. */
export function judgesOf(record: Pick<Delegation, "panel" | "policy" | "images">): readonly Judge[] {
  return record.panel ?? [{ harness: record.policy.verifier.harness, image: record.images.verifier }];
}

/** Whether so many approvals of so many asked decide, when `of` are asked in all: undefined while others can still turn it. */
export function panelDecides(
  approvals: number,
  asked: number,
  of: number,
  needed: number,
): "approved" | "rejected" | undefined {
  if (approvals >= needed) return "approved";
  return approvals + of - asked < needed ? "rejected" : undefined;
}

/** The approval of the whole: what each of the approving verifiers pointed to and tried. */
export function wholeVerdict(approvals: readonly Verdict[], criteria: readonly { id: string }[]): Verdict {
  const answers = (id: string) => approvals.flatMap((one) => one.criteria.filter((answer) => answer.id === id));
  return {
    decision: "approve",
    criteria: criteria.map(({ id }) => {
      const all = answers(id);
      const evidence = new Map(all.flatMap((one) => one.evidence).map((pointer) => [JSON.stringify(pointer), pointer]));
      const why = [...new Set(all.map((one) => one.why))].join("\n").slice(0, 4000).toWellFormed();
      return { id, status: "met", evidence: [...evidence.values()].slice(0, 50), why };
    }),
    refutations: approvals.flatMap((one) => one.refutations).slice(0, 100),
    feedback: [],
  };
}

/**
 * The findings of several verifiers, each once, with all who said it in the same words. Other words on the same place stay
 * apart: joined, they would show one verifier in its next turn what another said.
 */
export function mergedFindings(said: readonly { harness: string; findings: readonly Finding[] }[]): Finding[] {
  const merged = new Map<string, Finding>();
  for (const { harness, findings } of said) {
    for (const finding of findings) {
      const { reason, path, line, place, criterion, test, check, message } = finding;
      const key = JSON.stringify([reason, path, place ?? line, criterion, test, check, message]);
      const before = merged.get(key);
      merged.set(key, { ...(before ?? finding), by: [...new Set([...(before?.by ?? []), harness])] });
    }
  }
  return [...merged.values()];
}
