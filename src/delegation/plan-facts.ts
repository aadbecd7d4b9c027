/** What the lint of a plan looks at: facts of the base tree and its history. Types, and the questions asked of them. Pure. */

/** Two files of which one change tends to need the other. */
export interface Coupling {
  a: string;
  b: string;
  /** `imports`: `a` loads `b`. `together`: commits changed both. */
  why: { is: "imports" } | { is: "together"; commits: number; of: number };
}

export interface PlanFacts {
  /** Every path of the base tree. */
  paths: readonly string[];
  couplings: readonly Coupling[];
}

/** No repository is known: only what the plan itself says is looked at. */
export const noFacts: PlanFacts = { paths: [], couplings: [] };

/** Which briefs of a plan come before which, however many steps apart. */
export function predecessors(briefs: readonly { id: string; after: readonly string[] }[]): Map<string, Set<string>> {
  const direct = new Map(briefs.map((brief) => [brief.id, brief.after]));
  const all = new Map<string, Set<string>>();
  for (const { id } of briefs) {
    const seen = new Set<string>();
    const open = [...(direct.get(id) ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(direct.get(next) ?? []));
    }
    all.set(id, seen);
  }
  return all;
}
