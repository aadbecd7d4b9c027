/** The mechanical rules on a proposal: decided by the host alone, before any test runs or verifier is asked. Pure. */
import type { Proposal } from "../domain/event.ts";
import type { Finding } from "../domain/rejection.ts";
import { showSize } from "../domain/units.ts";

export interface MechanicalRules {
  writable: (path: string) => boolean;
  isProtected: (path: string) => boolean;
  writablePatterns: readonly string[];
  /** Bytes; the patch itself is already known to be no larger. */
  patchLimit: number;
  /** Result trees on the same base that were rejected before, by attempt. */
  rejectedTrees: ReadonlyMap<string, number>;
}

/** Every rule that the proposal breaks; none means that it goes on to the tests. */
export function mechanicalFindings(proposal: Proposal, baseTree: string, rules: MechanicalRules): Finding[] {
  const findings: Finding[] = [];
  if (proposal.tree === baseTree || proposal.changes.length === 0) {
    return [
      { reason: "no-change", message: "The proposal changes nothing. Edit files below /workspace, or report stuck." },
    ];
  }
  for (const { path } of proposal.changes) {
    if (rules.isProtected(path)) {
      findings.push({
        reason: "protected",
        path,
        message: `${path} is protected by the policy and must stay as it is in the base: undo that change.`,
      });
    } else if (!rules.writable(path)) {
      findings.push({
        reason: "not-writable",
        path,
        message: `${path} is outside what may be changed (${rules.writablePatterns.join(", ") || "nothing"}): undo that change.`,
      });
    }
  }
  if (proposal.patchBytes > rules.patchLimit) {
    findings.push({
      reason: "patch-too-large",
      message: `The patch has ${showSize(proposal.patchBytes)}, the budget allows ${showSize(rules.patchLimit)}: make the change smaller.`,
    });
  }
  const before = rules.rejectedTrees.get(proposal.tree);
  if (findings.length === 0 && before !== undefined) {
    findings.push({
      reason: "repeated-tree",
      message: `This is the very tree that was rejected as attempt ${before}.`,
    });
  }
  return findings.slice(0, 100);
}
