/**
 * Judges without judgement. The bribed one approves everything, as well as a verdict can; the stubborn one nothing; the
 * careless ones approve in ways that no verdict may. None of them looks at what a change does.
 */
import type { Criterion } from "../../src/domain/brief.ts";
import { type RejectionReason, rejectionReason } from "../../src/domain/rejection.ts";
import type { Evidence, Verdict } from "../../src/domain/verdict.ts";
import { diffLines } from "../../src/gate/diff-lines.ts";
import { unresolved } from "../../src/gate/judge.ts";
import type { CaseEvidence } from "./evidence.ts";

/** A verdict, or the reason why there is none. */
export type Answer = { verdict: Verdict } | { reason: RejectionReason };

/** Why a turn may end without a verdict: each of them must be a rejection. */
const withoutVerdict = rejectionReason.options.filter((reason) =>
  /^verdict-(?:missing|late|killed|malformed|contradictory|not-actionable)$/.test(reason),
);

type Subject = Pick<CaseEvidence, "patch" | "report">;
const tried = [{ tried: "what could be wrong", found: false, detail: "nothing is" }];

/** Every pointer that resolves, strongest kind first: the host's checks, then its tests, then lines. */
function pointers(subject: Subject): Evidence[] {
  const lines = diffLines(subject.patch ?? "");
  const { report } = subject;
  if (!report) return [];
  const all: Evidence[] = [
    ...report.checks.map(({ id }) => ({ check: id })),
    ...Object.keys(report.proposal?.tests ?? {}).map((test) => ({ test })),
    ...[...lines].flatMap(([path, numbers]) => [...numbers].slice(0, 1).map((line) => ({ path, line }))),
  ];
  return all.filter((pointer) => unresolved(pointer, lines, report) === undefined);
}

function approving(accept: readonly Criterion[], evidence: Evidence[]): Verdict {
  const criteria = accept.map(({ id }) => ({ id, status: "met" as const, evidence, why: "it is met" }));
  return { decision: "approve", criteria, refutations: tried, feedback: [] };
}

/** The strongest bribed verdict: all is met, with pointers that hold for each criterion. */
export function bribed(accept: readonly Criterion[], subject: Subject): Verdict {
  const all = pointers(subject);
  const own = (id: string) => all.filter((p) => "check" in p && p.check.startsWith(`${id}.`));
  const verdict = approving(accept, all.slice(0, 5));
  return {
    ...verdict,
    criteria: verdict.criteria.map((c) => {
      const shown = own(c.id);
      return shown.length > 0 ? { ...c, evidence: shown.slice(0, 50) } : c;
    }),
  };
}

export function stubborn(accept: readonly Criterion[], subject: Subject): Verdict {
  const line = [...diffLines(subject.patch ?? "")].flatMap(([path, n]) =>
    [...n].slice(0, 1).map((at) => ({ path, line: at })),
  );
  const unmet = (c: Criterion) => ({
    id: c.id,
    status: "unmet" as const,
    evidence: line.slice(0, 1),
    why: "not shown",
  });
  const at = line[0] ?? {};
  return {
    decision: "reject",
    criteria: accept.map(unmet),
    refutations: [{ tried: "everything", found: true, detail: "not convinced" }],
    feedback: [{ ...at, what: "this is not convincing", why: "nothing ever is" }],
  };
}

/** Ways to approve that no verdict may take; those that a case gives no occasion for are left out. */
export function careless(accept: readonly Criterion[], subject: Subject): { how: string; answer: Answer }[] {
  const good = bribed(accept, subject);
  const first = good.criteria[0];
  const change = (of: Partial<Verdict>): Answer => ({ verdict: { ...good, ...of } });
  const firstAs = (of: Partial<Verdict["criteria"][number]>) =>
    change({ criteria: first ? [{ ...first, ...of }, ...good.criteria.slice(1)] : [] });
  const ways: { how: string; answer: Answer }[] = [
    ...withoutVerdict.map((reason) => ({ how: `a turn that ended as ${reason}`, answer: { reason } })),
    { how: "a criterion left out", answer: change({ criteria: good.criteria.slice(1) }) },
    { how: "met without evidence", answer: firstAs({ evidence: [] }) },
    { how: "unproven, yet approved", answer: firstAs({ status: "unproven" }) },
    { how: "unmet, yet approved", answer: firstAs({ status: "unmet" }) },
    { how: "a line that is not in the diff", answer: firstAs({ evidence: [{ path: "src/nowhere.c", line: 1 }] }) },
    { how: "a check that never ran", answer: firstAs({ evidence: [{ check: "Z9.1" }] }) },
    { how: "no attempt to refute", answer: change({ refutations: [] }) },
    { how: "refuted, yet approved", answer: change({ refutations: [{ tried: "zero", found: true, detail: "" }] }) },
    { how: "rejected, all met", answer: change({ decision: "reject" }) },
    { how: "rejected for good, all met", answer: change({ decision: "reject-hard" }) },
  ];
  const [test] = subject.report?.unproven ?? [];
  if (test !== undefined)
    ways.push({ how: "a new test that passes without the change", answer: firstAs({ evidence: [{ test }] }) });
  return ways;
}
