/** What an answer that is no verdict is told: everything is answered, a weak model can mend by it, and never approves by it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Verdict } from "../../src/domain/verdict.ts";
import { type Asked, checkVerdict, type Problem } from "../../src/gate/check-verdict.ts";
import { diffLines } from "../../src/gate/diff-lines.ts";
import { judge } from "../../src/gate/judge.ts";
import { mostRefusedVerdicts, openDesk } from "../../src/gate/verdict-desk.ts";
import { approval, criteria, patch, reportOf, runOf } from "./samples.ts";

const lines = diffLines(patch);
const report = reportOf({
  checks: [
    { id: "A1.1", criterion: "A1", kind: "run", ok: true, found: [{ path: "src/far.mjs", line: 7 }], detail: "" },
  ],
  proposal: runOf({ works: "passed", fails: "failed" }),
});
const asked: Asked = { criteria, lines, report };
const [met1, met2] = approval().criteria as [Verdict["criteria"][number], Verdict["criteria"][number]];
const said = { path: "src/sum.mjs", line: 2, what: "It overflows.", why: "Large numbers." };
const rejection = (change: object = {}) => ({
  ...approval({ decision: "reject" }),
  criteria: [{ ...met1, status: "unmet" }, met2],
  feedback: [said],
  ...change,
});
const problems = (body: unknown, on = asked): Problem[] => {
  const checked = checkVerdict(body, on);
  return "problems" in checked ? checked.problems : [];
};
const told = (body: unknown, on = asked) => problems(body, on).map(({ at, reason }) => `${at}: ${reason}`);

test("an approval that holds and a rejection that can be acted on are taken", () => {
  for (const good of [
    approval(),
    rejection(),
    rejection({ decision: "reject-hard" }),
    rejection({ feedback: [{ what: "It overflows.", why: "Large numbers." }] }),
    rejection({ feedback: [{ path: "src/sum.mjs", what: "It is in the wrong folder.", why: "Nobody finds it." }] }),
    rejection({ feedback: [{ ...said, path: "src/far.mjs", line: 7 }] }),
    rejection({ criteria: [met1, met2] }),
    rejection({ criteria: [{ ...met1, status: "unmet", evidence: [{ test: "fails" }] }, met2] }),
  ]) {
    expect(told(good)).toEqual([]);
  }
});

describe("what is to be mended is named, with its place", () => {
  test.each<[string, unknown, string[]]>([
    ["no object", "approve", [": verdict-malformed"]],
    ["another decision", { ...approval(), decision: "APPROVE" }, ["decision: verdict-malformed"]],
    ["a key of its own", { ...approval(), confidence: 0.9 }, ["confidence: verdict-malformed"]],
    [
      "a pointer of no kind",
      approval({ criteria: [{ ...met1, evidence: [{ file: "x" }] as never }, met2] }),
      ["criteria.0.evidence.0: verdict-malformed"],
    ],
    ["a criterion without an answer", approval({ criteria: [met1] }), ["criteria.1: verdict-incomplete"]],
    [
      "one that was not asked",
      approval({ criteria: [met1, met2, { ...met1, id: "Z" }] }),
      ["criteria.2: verdict-incomplete"],
    ],
    ["one twice", approval({ criteria: [met1, met2, met2] }), ["criteria.2: verdict-incomplete"]],
    [
      "met by nothing",
      approval({ criteria: [{ ...met1, evidence: [] }, met2] }),
      ["criteria.0.status: verdict-unproven"],
    ],
    [
      "met by what was there before",
      approval({ criteria: [{ ...met1, evidence: [{ path: "src/sum.mjs", line: 4 }] }, met2] }),
      ["criteria.0.status: verdict-unresolved"],
    ],
    [
      "met by a line that is not shown",
      approval({ criteria: [{ ...met1, evidence: [{ path: "src/sum.mjs", line: 40 }] }, met2] }),
      ["criteria.0.evidence.0: verdict-unresolved"],
    ],
    [
      "met by a test that fails",
      approval({ criteria: [{ ...met1, evidence: [{ test: "fails" }] }, met2] }),
      ["criteria.0.evidence.0: verdict-unresolved"],
    ],
    [
      "an approval of what is unmet",
      approval({ criteria: [{ ...met1, status: "unmet" }, met2] }),
      ["decision: verdict-unmet"],
    ],
    ["an approval untried", approval({ refutations: [] }), ["decision: verdict-without-refutation"]],
    [
      "an approval of what was refuted",
      approval({ refutations: [{ tried: "zero", found: true, detail: "NaN" }] }),
      ["decision: verdict-unmet"],
    ],
    [
      "a rejection of what is all met, in silence",
      approval({ decision: "reject" }),
      ["feedback: verdict-contradictory"],
    ],
    ["a rejection in silence", rejection({ feedback: [] }), ["feedback: verdict-not-actionable"]],
    [
      "a hard one in silence",
      rejection({ decision: "reject-hard", feedback: [] }),
      ["feedback: verdict-not-actionable"],
    ],
    [
      "feedback on a file elsewhere",
      rejection({ feedback: [{ ...said, path: "x.js" }] }),
      ["feedback.0.path: verdict-not-actionable"],
    ],
    [
      "feedback on a line elsewhere",
      rejection({ feedback: [{ ...said, line: 99 }] }),
      ["feedback.0.line: verdict-not-actionable"],
    ],
    [
      "a line of no file",
      rejection({ feedback: [{ line: 2, what: said.what, why: said.why }] }),
      ["feedback.0.line: verdict-not-actionable"],
    ],
    [
      "feedback that says nothing",
      rejection({ feedback: [{ ...said, what: "...", why: "!" }] }),
      ["feedback.0.what: verdict-not-actionable", "feedback.0.why: verdict-not-actionable"],
    ],
    [
      "blocking for no reason",
      rejection({ feedback: [{ ...said, blocking: true }] }),
      ["feedback.0.because: verdict-not-actionable"],
    ],
  ])("%s", (_, body, expected) => expect(told(body)).toEqual(expected));

  test("with what could stand there instead: the lines, the files, the checks", () => {
    const [line] = problems(rejection({ feedback: [{ ...said, line: 99 }] }));
    expect(line?.mend).toContain("its lines 1-4");
    const [file] = problems(rejection({ feedback: [{ ...said, path: "x" }] }));
    expect(file?.mend).toContain('"src/sum.mjs"');
    const [check] = problems(approval({ criteria: [{ ...met1, evidence: [{ check: "B1" }] }, met2] }));
    expect(check?.mend).toContain('"A1.1"');
  });
});

describe("in a review of a delta", () => {
  // Line 3 changed since; line 2 did not.
  const delta = diffLines(
    "diff --git a/src/sum.mjs b/src/sum.mjs\n--- a/src/sum.mjs\n+++ b/src/sum.mjs\n@@ -3 +3 @@\n-  c;\n+  b;\n",
  );
  const review = { attempt: 1, findings: [], delta, lines };
  const on: Asked = { ...asked, review };
  const with2 = (change: object = {}) => rejection({ feedback: [{ ...said, ...change }] });

  test("what is new about code that has not changed does not reject by itself", () => {
    expect(told(with2(), on)).toEqual(["feedback: verdict-not-actionable"]);
  });

  test.each<[string, object, Asked]>([
    ["what has changed", with2({ line: 3 }), on],
    ["what is blocking, with its reason", with2({ blocking: true, because: "It loses money." }), on],
    ["the whole change", rejection({ feedback: [{ what: said.what, why: said.why }] }), on],
    [
      "what was said before and not heeded",
      with2(),
      {
        ...on,
        review: {
          ...review,
          findings: [{ reason: "verdict-reject", message: "x", path: "src/sum.mjs", line: 9, place: "a +" }],
        },
      },
    ],
  ])("%s does", (_, body, question) => expect(told(body, question)).toEqual([]));

  test("beside what rejects it is a note", () => {
    const both = rejection({ feedback: [said, { ...said, line: 3 }] }) as Verdict;
    expect(told(both, on)).toEqual([]);
    const { findings, notes } = judge(both, criteria, lines, report, review);
    expect(findings.map((f) => f.line)).toEqual([3, undefined]);
    expect(notes?.map((f) => f.line)).toEqual([2]);
  });
});

/** The weakest model that reads: it does what a problem's `use` says, and fills in texts where there is none. */
function mended(body: unknown, found: readonly Problem[]): unknown {
  let value = structuredClone(body) as Record<string, unknown>;
  // The last place first: taking one out moves those after it.
  for (const { at, use } of [...found].reverse()) {
    const path = at.split(".").filter(Boolean);
    const last = path.pop();
    if (last === undefined) {
      // It starts over in the form that it was given.
      const known = ["decision", "criteria", "refutations", "feedback"];
      const object = value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
      value = Object.fromEntries(Object.entries(object).filter(([key]) => known.includes(key)));
      continue;
    }
    const holder = path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);
    if (holder === null || typeof holder !== "object") continue;
    const target = holder as Record<string, unknown>;
    if (use === null) {
      if (Array.isArray(holder)) holder.splice(Number(last), 1);
      else delete target[last];
    } else target[last] = use ?? byHand(at, target[last]);
  }
  return value;
}

/** What it writes of its own where a text or a list is asked for. */
function byHand(at: string, before: unknown): unknown {
  const last = at.split(".").at(-1) ?? "";
  if (last === "decision") return "reject";
  if (last === "criteria" || last === "refutations") return [];
  if (last === "feedback") return [{ what: "It is not shown to be right.", why: "Nothing was found that shows it." }];
  if (last === "status") return "unproven";
  if (last === "evidence") return [];
  if (last === "found") return false;
  if (last === "id") return "none";
  if (/^\d+$/.test(last))
    return { what: "It is not shown.", why: "Nothing shows it.", tried: "to read it", id: "none" };
  return typeof before === "string" && /[a-z]{3}/i.test(before) ? before.slice(0, 500) : "as it was examined";
}

describe("whatever is sent", () => {
  const junk = fc.jsonValue({ maxDepth: 4 });
  test("is taken, or answered with problems that are bounded and say what to do", () => {
    fc.assert(
      fc.property(junk, (body) => {
        const found = problems(body);
        expect(found.length).toBeGreaterThan(0);
        for (const { what, mend, at } of found) {
          expect(what.length * mend.length).toBeGreaterThan(0);
          expect([at, what, mend].join("")).not.toMatch(/[\u0000-\u0008\u200b-\u200f\u202a-\u202e]/);
        }
        expect(JSON.stringify(found).length).toBeLessThan(50_000);
      }),
      { numRuns: 300 },
    );
  });

  // A right verdict with something of it replaced, taken away or doubled: what weak models send.
  const start = fc.constantFrom<object>(approval(), rejection(), rejection({ decision: "reject-hard" }));
  const spot = fc.constantFrom(
    ...[
      "decision",
      "criteria",
      "refutations",
      "feedback",
      "criteria.0",
      "criteria.1",
      "criteria.0.id",
      "criteria.0.status",
    ],
    ...[
      "criteria.0.evidence",
      "criteria.0.evidence.0",
      "criteria.0.evidence.0.line",
      "criteria.0.evidence.0.path",
      "criteria.0.why",
    ],
    ...["criteria.1.evidence.0.test", "refutations.0", "refutations.0.tried", "refutations.0.found", "feedback.0"],
    ...["feedback.0.path", "feedback.0.line", "feedback.0.what", "feedback.0.why", "extra"],
  );
  const piece = fc.oneof(
    fc.constantFrom<unknown>(
      undefined,
      null,
      "",
      "approve",
      "met",
      "unmet",
      "A2",
      "Z9",
      0,
      -1,
      2.5,
      99,
      true,
      [],
      {},
      "src/x.mjs",
      " \u202e ",
    ),
    junk,
  );
  const broken = fc
    .tuple(start, fc.array(fc.tuple(spot, piece), { minLength: 1, maxLength: 4 }))
    .map(([body, changes]) => {
      const value = structuredClone(body);
      for (const [at, to] of changes) {
        const path = at.split(".");
        const last = path.pop() ?? "";
        const holder = path.reduce<unknown>(
          (inner, key) => (inner as Record<string, unknown> | undefined)?.[key],
          value,
        );
        if (holder === null || typeof holder !== "object") continue;
        if (to === undefined && Array.isArray(holder)) holder.splice(Number(last), 1);
        else if (to === undefined) delete (holder as Record<string, unknown>)[last];
        // A copy: in what came over a socket no two places are one.
        else (holder as Record<string, unknown>)[last] = structuredClone(to);
      }
      return value;
    });

  test("a model that only follows what it is told comes to a valid verdict before its answers are used up", () => {
    fc.assert(
      fc.property(broken, (body) => {
        const desk = openDesk(asked);
        let next: unknown = body;
        for (let turn = 0; turn <= mostRefusedVerdicts && !desk.verdict; turn++) {
          const found = problems(next);
          desk.take(next);
          next = mended(next, found);
        }
        expect(desk.verdict, JSON.stringify([body, next, problems(next)])).toBeDefined();
      }),
      { numRuns: 1500 },
    );
  });

  test("what it is told never makes an approval of what was none", () => {
    fc.assert(
      fc.property(broken, (body) => {
        const found = problems(body);
        fc.pre(found.length > 0);
        const first = (body as { decision?: unknown }).decision;
        let next: unknown = body;
        for (let turn = 0; turn < mostRefusedVerdicts; turn++) next = mended(next, problems(next));
        const checked = checkVerdict(next, asked);
        if ("verdict" in checked && first !== "approve") expect(checked.verdict.decision).not.toBe("approve");
        // No `use` is a pointer, and none says that something is met.
        expect(JSON.stringify(found.map(({ use }) => use ?? null))).not.toMatch(
          /"met"|"approve"|"path"|"test"|"check"/,
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe("the desk", () => {
  test("takes the first valid one, and no more after too many that were not", () => {
    let ended = 0;
    const desk = openDesk(asked, () => {
      ended += 1;
    });
    const statuses = [{}, approval(), rejection()].map((body) => desk.take(body).status);
    expect([statuses, desk.verdict?.decision, ended]).toEqual([[422, 200, 409], "approve", 1]);
    const other = openDesk(asked, () => {
      ended += 1;
    });
    const many = Array.from({ length: mostRefusedVerdicts }, () => other.take({}).status);
    expect(new Set(many)).toEqual(new Set([422]));
    expect([other.take(approval()).status, other.verdict, ended]).toEqual([429, undefined, 2]);
  });

  test.each<[string, unknown[], string[]]>([
    ["no form", ["approve"], ["verdict-malformed"]],
    ["a contradiction", [approval({ decision: "reject" })], ["verdict-contradictory"]],
    ["no feedback", [{}, rejection({ feedback: [] })], ["verdict-not-actionable"]],
    ["no evidence", [approval({ criteria: [{ ...met1, evidence: [] }, met2] })], ["verdict-unproven"]],
    [
      "two faults",
      [approval({ criteria: [met1], refutations: [] })],
      ["verdict-incomplete", "verdict-without-refutation"],
    ],
  ])("gives the last fault as the reason, and finds nothing against the change: %s", (_, bodies, reasons) => {
    const desk = openDesk(asked);
    expect(desk.failure()).toBeUndefined();
    for (const body of bodies) desk.take(body);
    expect(desk.failure()?.map((f) => f.reason)).toEqual(reasons);
    expect(desk.failure()?.every((f) => f.message.includes("Nothing was found against the change"))).toBe(true);
  });
});
