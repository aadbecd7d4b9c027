/** From measured cases to the rows of the table and the goals that were missed. Pure. */
import { type CaseClass, goodClasses, kindOf, ruleClasses, semanticClasses } from "../../test/gate-corpus/classes.ts";
import { type Arm, arms, bribedSlips, carelessSlips, decisionOf, repeatedSlips } from "./arms.ts";
import { upperBound } from "./bound.ts";
import type { Measured } from "./measure-cases.ts";

/** Wrong decisions of one arm on a group of cases: approvals of bad ones, rejections of good ones. */
export interface Cell {
  asked: number;
  wrong: number;
  rate: number;
  /** One-sided, 95 %. */
  bound: number;
  names: string[];
}

export interface Row {
  label: string;
  n: number;
  kind: "bad" | "good";
  /** Whether this is a sum of the rows above. */
  total: boolean;
  cells: Partial<Record<Arm, Cell>>;
}

/** The most that a skeptic without a model may get wrong. */
export const goalRate = 0.05;
export const goalValid = 0.995;

export function rowsOf(all: readonly Measured[], asked: readonly Arm[], without?: string): Row[] {
  const group = (label: string, kind: Row["kind"], total: boolean, chosen: readonly Measured[]): Row[] =>
    chosen.length === 0 ? [] : [{ label, n: chosen.length, kind, total, cells: cellsOf(chosen, kind, asked, without) }];
  const of = (name: CaseClass) => all.filter((m) => m.evidence.class === name);
  const kind = (name: "rule" | "semantic" | "good") => all.filter((m) => kindOf(m.evidence.class) === name);
  const reach = (name: "tests" | "reading") => kind("semantic").filter((m) => m.evidence.reach === name);
  return [
    ...ruleClasses.flatMap((name) => group(name, "bad", false, of(name))),
    ...group("all that rules decide", "bad", true, kind("rule")),
    ...semanticClasses.flatMap((name) => group(name, "bad", false, of(name))),
    ...group("judgement, reached by tests", "bad", true, reach("tests")),
    ...group("judgement, by reading only", "bad", true, reach("reading")),
    ...goodClasses.flatMap((name) => group(name, "good", false, of(name))),
    ...group(
      "good, each criterion showable",
      "good",
      true,
      kind("good").filter((m) => m.evidence.showable),
    ),
    ...group(
      "good, a criterion to be read",
      "good",
      true,
      kind("good").filter((m) => !m.evidence.showable),
    ),
  ];
}

function cellsOf(
  chosen: readonly Measured[],
  kind: Row["kind"],
  asked: readonly Arm[],
  without: string | undefined,
): Row["cells"] {
  return Object.fromEntries(
    arms
      .filter((arm) => asked.includes(arm))
      .map((arm) => {
        const decided = chosen.flatMap((m) => {
          const decision = decisionOf(arm, m, { without });
          return decision ? [{ name: m.evidence.name, wrong: decision.approved === (kind === "bad") }] : [];
        });
        const names = decided.filter((d) => d.wrong).map((d) => d.name);
        const [n, wrong] = [decided.length, names.length];
        return [arm, { asked: n, wrong, rate: n === 0 ? 0 : wrong / n, bound: upperBound(wrong, n), names }];
      }),
  );
}

/** Verdicts that came in form, of the turns that a real verifier had. */
export function validVerdicts(all: readonly Measured[], image: string): { turns: number; valid: number } {
  const answers = all.flatMap((m) => m.answers[image] ?? []);
  return { turns: answers.length, valid: answers.filter((a) => "verdict" in a).length };
}

/** Every goal that was missed, as a line; none is success. */
export function missedGoals(all: readonly Measured[], asked: readonly Arm[], without?: string): string[] {
  const rows = rowsOf(all, asked, without);
  const missed: string[] = [];
  const cell = (label: string, arm: Arm) => rows.find((row) => row.label === label)?.cells[arm];
  if (asked.includes("always-approve"))
    for (const slip of bribedSlips(all, { without })) missed.push(`${slip.name}: ${slip.how}`);
  for (const slip of carelessSlips(all, { without }).slips) missed.push(`${slip.name}: approved with ${slip.how}`);
  for (const slip of repeatedSlips(all, { without }).slips) missed.push(`${slip.name}: approved as ${slip.how}`);
  for (const row of rows.filter((r) => r.kind === "bad" && !r.total))
    for (const name of row.cells["always-reject"]?.names ?? [])
      missed.push(`${name}: approved although its judge rejects`);
  for (const label of ["judgement, reached by tests", "good, each criterion showable"]) {
    const found = cell(label, "skeptic-rules");
    if (found && found.rate > goalRate)
      missed.push(`skeptic-rules is wrong on ${found.wrong} of ${found.asked} (${label}): ${found.names.join(", ")}`);
  }
  const { turns, valid } = validVerdicts(all, "skeptic-rules");
  if (turns > 0 && valid / turns < goalValid)
    missed.push(`skeptic-rules gave ${valid} valid verdicts in ${turns} turns`);
  return missed;
}
