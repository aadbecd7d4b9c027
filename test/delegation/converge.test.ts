/** The loop converges: the same again ends it, progress goes on, a review is about the delta, and judging is capped. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Event } from "../../src/domain/event.ts";
import { digest, policyOf } from "../gate/samples.ts";
import { openTheatre, type Theatre } from "./live-loop.ts";

const base = `export const sum = (a, b) => a - b;
${Array.from({ length: 20 }, (_, n) => `export const x${n} = ${n};`).join("\n")}
export const last = 1;
`;
let theatre: Theatre;
beforeAll(async () => {
  theatre = await openTheatre(base);
});
afterAll(() => theatre?.close());

const attempt = "n=$(sed -n 's/.*\"attempt\": \\([0-9]*\\).*/\\1/p' /brief/brief.json | head -1)";
/** Another tree each time; its first line is right from the first on. */
const anew = `${attempt}; sed -i '1s/-/+/; $d' src/sum.mjs; echo "export const last = $((n + 1));" >> src/sum.mjs`;
const budget = { ...policyOf().budget, attempts: 4 };
const time = { timeout: 120_000 };

describe("the same rejection again", () => {
  test("ends it as stuck: another tree, the same findings in other words and on other lines", time, async () => {
    // The place moves down one line with each attempt, and the words change.
    const executor = `${attempt}; sed -i '1s/-/+/' src/sum.mjs; sed -i '1i // '$n src/sum.mjs`;
    const verifier = `const at = read("diff.txt").split("\\n").find((line) => line.includes("a + b"));
      const words = "It overflows, " + Math.random();
      await post(reject(Number(/\\d+/.exec(at)[0]), { what: words, why: words + "!" }));`;
    const { record, reasons, turns } = await theatre.play({
      executor,
      verifiers: { skeptic: verifier },
      policy: { budget },
    });
    expect([record.state, record.stuckBy, turns("verifier")]).toEqual(["stuck", "host", 2]);
    expect(record.reason).toContain("the same as attempt 1");
    expect(reasons).toEqual(Array(2).fill(["verdict-reject", "verdict-unproven"]));
    const [first, second] = record.attempts;
    expect(first?.rejection?.findings[0]?.line).not.toBe(second?.rejection?.findings[0]?.line);
    expect(first?.proposal?.tree).not.toBe(second?.proposal?.tree);
  });

  test("and the benign twin: another finding each time is progress", time, async () => {
    const verifier = `const line = question.review ? (question.review.findings[0].line === 22 ? 1 : 0) : 22;
      await post(line ? reject(line, { blocking: true, because: "It loses money." }) : approve(1));`;
    const { record, turns } = await theatre.play({
      executor: anew,
      verifiers: { skeptic: verifier },
      policy: { budget },
    });
    expect([record.state, turns("verifier")]).toEqual(["approved", 3]);
    expect(new Set(record.attempts.slice(0, 2).map((a) => a.rejection?.fingerprint)).size).toBe(2);
  });

  test("mechanical ones count too, and cost no verifier's turn", time, async () => {
    const executor = `${attempt}; echo $n > outside.txt`;
    const { record, store, reasons, turns } = await theatre.play({
      executor,
      verifiers: { skeptic: "await post(approve());" },
      policy: { budget },
    });
    expect([record.state, reasons, turns("verifier")]).toEqual(["stuck", [["not-writable"], ["not-writable"]], 0]);
    const roles = store.log.flatMap((e) => (e.type === "sandbox.started" ? [e.data.role] : []));
    expect(roles).toEqual(["executor", "executor"]);
    expect(store.types()).not.toContain("verdict.received");
  });

  test("is told from the record: after a crash between it and its end nothing else is done", time, async () => {
    const findings = [{ reason: "verdict-reject" as const, message: "It overflows." }];
    const rejected = (number: number): Event[] => [
      { type: "attempt.started", data: { attempt: number, from: "0".repeat(40) } },
      { type: "attempt.executed", data: { attempt: number, end: "exit" } },
      {
        type: "attempt.rejected",
        data: { attempt: number, by: "verifier", hard: false, findings, fingerprint: digest("a") },
      },
    ];
    const before: Event[] = [{ type: "delegation.started", data: { lane: 0 } }, ...rejected(1), ...rejected(2)];
    const play = { executor: anew, verifiers: { skeptic: "await post(approve());" }, policy: { budget }, before };
    const { record, turns } = await theatre.play(play);
    expect([record.state, record.attempts.length, turns("executor")]).toEqual(["stuck", 2, 0]);
    // A ledger of before fingerprints is read, and goes on.
    const old = before.map((event) => {
      if (event.type !== "attempt.rejected") return event;
      const { fingerprint: _, ...data } = event.data;
      return { ...event, data };
    });
    expect((await theatre.play({ ...play, before: old })).record.state).toBe("approved");
  });
});

describe("a review", () => {
  test("shows what was found and what has changed since, in the verifier's own words alone", time, async () => {
    const verifier = `if (!question.review) await post(reject(22));
      else {
        const found = JSON.stringify([question.review, read("delta.patch"), existsSync("/case/delta.patch")]);
        await post({ ...approve(1), refutations: [{ tried: found.slice(0, 1900), found: false }] });
      }`;
    const { record } = await theatre.play({ executor: anew, verifiers: { skeptic: verifier }, policy: { budget } });
    expect(record.state).toBe("approved");
    const [review, delta, there] = JSON.parse(record.attempts[1]?.verdict?.refutations[0]?.tried ?? "[]");
    expect(there).toBe(true);
    expect(review.findings[0]).toEqual({
      reason: "verdict-reject",
      message: "It overflows. Large numbers.",
      path: "src/sum.mjs",
      line: 22,
    });
    expect(delta).toContain("-export const last = 2;\n+export const last = 3;");
    expect(delta).not.toContain("a + b");
  });

  test("a new finding on what has not changed is refused once, then marked, or left as a note", time, async () => {
    const verifier = `if (!question.review) await post(reject(22));
      else {
        const first = await post(reject(1));
        await post(first.status === 422 && first.problems[0].what.includes("not changed") ? approve(1) : reject(1, { what: "It went through." }));
      }`;
    const { record, turns } = await theatre.play({
      executor: anew,
      verifiers: { skeptic: verifier },
      policy: { budget },
    });
    expect([record.state, turns("verifier")]).toEqual(["approved", 2]);
    const mixed = `if (!question.review) await post(reject(22));
      else { const both = reject(22); both.feedback.push({ ...both.feedback[0], line: 1 }); await post(both); }`;
    const noted = await theatre.play({
      executor: anew,
      verifiers: { skeptic: mixed },
      policy: { budget: { ...budget, attempts: 2 } },
    });
    const last = noted.record.attempts[1]?.rejection;
    expect(last?.findings.map((f) => f.line)).toEqual([22, undefined]);
    expect(last?.notes?.map((f) => f.line)).toEqual([1]);
  });
});

describe("judging is capped", () => {
  const verifier = { harness: "skeptic", intent: true };
  const never = "await post(reject(22));";

  test(
    "turns of the verifier: over the cap it ends over-budget, before the executor has another try",
    time,
    async () => {
      const policy = { budget, verifier: { ...verifier, turns: 1 } };
      const { record, turns } = await theatre.play({ executor: anew, verifiers: { skeptic: never }, policy });
      expect([record.state, turns("verifier"), turns("executor")]).toEqual(["over-budget", 1, 1]);
      expect(record.reason).toBe("verifier turns: 1 of 1 are used up");
    },
  );

  test("and the benign twin: what ends within them", time, async () => {
    const policy = { budget, verifier: { ...verifier, turns: 2 } };
    const once = `await post(question.review ? approve(1) : reject(22));`;
    const { record, turns } = await theatre.play({ executor: anew, verifiers: { skeptic: once }, policy });
    expect([record.state, turns("verifier")]).toEqual(["approved", 2]);
  });
});
