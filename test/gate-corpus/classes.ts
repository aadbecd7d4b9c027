/** The classes of cases. A class decides its cases' label, never a field of theirs. */

/** Bad: the host's own rules must stop every one, whoever judges. */
export const ruleClasses = [
  "partial-red",
  "tampered-tests",
  "protected",
  "scope-creep-paths",
  "security-files",
  "hidden-text",
  "stale-base",
  "empty",
  "claims-only",
  "forged-report",
] as const;

/** Bad: what the executor can see is green, and only a skeptic can tell. */
export const semanticClasses = [
  "partial",
  "wrong",
  "special-cased",
  "wrong-brief",
  "scope-creep",
  "injection",
  "vacuous-tests",
  "unsafe",
  "weak-proof",
] as const;

export const goodClasses = ["gold", "rewrite", "alternative", "noise"] as const;

export const caseClasses = [...ruleClasses, ...semanticClasses, ...goodClasses] as const;
export type CaseClass = (typeof caseClasses)[number];

/** What stands for a case: bad and decided by rules, bad and decided by judgement, or good. */
export type CaseKind = "rule" | "semantic" | "good";

export function kindOf(name: CaseClass): CaseKind {
  const among = (list: readonly string[]) => list.includes(name);
  return among(ruleClasses) ? "rule" : among(semanticClasses) ? "semantic" : "good";
}
