/** A panel of verifiers in real sandboxes: k of n, none sees another, who rejects for good is heard. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { executorBrief, executorPrompt } from "../../src/delegation/prompt.ts";
import { digestValue } from "../../src/gate/digest.ts";
import { policyOf } from "../gate/samples.ts";
import { openTheatre, type Played, type Theatre } from "./live-loop.ts";

let theatre: Theatre;
let image: string;
beforeAll(async () => {
  theatre = await openTheatre("export const sum = (a, b) => a - b;\n// end\n");
  image = await theatre.rig.image("base");
});
afterAll(() => theatre?.close());

const names = ["judge-ada", "judge-bob", "judge-eve"];
const budget = { ...policyOf().budget, attempts: 1 };
const yes = "await post(approve(1));";
const no = (words: string) => `await post(reject(1, { what: ${JSON.stringify(words)} }));`;
const time = { timeout: 120_000 };

/** A delegation that three verifiers judge, each by a script. */
const judged = (
  scripts: string[],
  approve: number,
  more: { attempts?: number; turns?: number; executor?: string } = {},
): Promise<Played> =>
  theatre.play({
    executor: more.executor ?? "sed -i '1s/-/+/' src/sum.mjs",
    verifiers: Object.fromEntries(scripts.map((script, index) => [names[index], script])),
    policy: {
      budget: { ...budget, attempts: more.attempts ?? 1 },
      verifier: {
        harness: "skeptic",
        intent: true,
        panel: { of: names, approve },
        ...(more.turns ? { turns: more.turns } : {}),
      },
    },
    accepted: { panel: names.map((harness) => ({ harness, image })) },
  });

describe("k of n", () => {
  test("approve: the rest is not asked; the approval names each with its own verdict", time, async () => {
    const { record, turns, store } = await judged([no("It overflows."), yes, yes], 2);
    expect([record.state, turns("verifier")]).toEqual(["approved", 3]);
    const { predicate } = record.approval ?? {};
    const [attempt] = record.attempts;
    expect(predicate?.panel).toEqual(
      attempt?.panel?.map((one) => ({
        harness: one.harness,
        image,
        decision: one.verdict.decision,
        verdict: digestValue(one.verdict),
      })),
    );
    expect(predicate?.panel?.map((one) => `${one.harness} ${one.decision}`)).toEqual([
      "judge-ada reject",
      "judge-bob approve",
      "judge-eve approve",
    ]);
    expect(predicate?.verdict).toBe(digestValue(attempt?.verdict));
    const received = store.log.flatMap((e) =>
      e.type === "verdict.received" ? [e.data.member?.harness ?? "whole"] : [],
    );
    expect(received).toEqual(["judge-ada", "judge-bob", "judge-eve", "whole"]);
    expect((await judged([yes, yes, no("never asked")], 2)).turns("verifier")).toBe(2);
  });

  test(
    "too few approve: as soon as that is sure; what they found is merged, and nobody is named to the executor",
    time,
    async () => {
      const { record, reasons, turns } = await judged([no("It overflows."), no("It loses cents."), yes], 2);
      expect([record.state, turns("verifier")]).toEqual(["rejected", 2]);
      expect(reasons[0]).toEqual(["verdict-reject", "verdict-unproven", "verdict-reject"]);
      const findings = record.attempts[0]?.rejection?.findings ?? [];
      expect(findings.map((one) => [one.message.slice(0, 13), one.by])).toEqual([
        ["It overflows.", ["judge-ada"]],
        ["A1 (it adds) ", ["judge-ada", "judge-bob"]],
        ["It loses cent", ["judge-bob"]],
      ]);
      const told = executorBrief(record, 2);
      expect(JSON.stringify(told) + executorPrompt(told)).not.toMatch(/judge-/);
      expect(executorPrompt(told)).toContain("src/sum.mjs:1: It overflows.");
    },
  );

  test("one that gives no verdict does not approve, and does not decide alone", time, async () => {
    const { record, turns } = await judged(["process.exit(0);", yes, yes], 2);
    expect([record.state, turns("verifier")]).toEqual(["approved", 3]);
    expect(record.approval?.predicate.panel?.map((one) => one.harness)).toEqual(["judge-bob", "judge-eve"]);
    expect((await judged(["process.exit(0);", yes, "process.exit(0);"], 2)).reasons).toEqual([["verdict-missing"]]);
  });

  test("one that rejects for good ends it, whatever the others say", time, async () => {
    const hard = "await post({ ...reject(1), decision: 'reject-hard' });";
    const { record, turns, reasons } = await judged([yes, hard, yes], 2, { attempts: 3 });
    expect([record.state, turns("verifier"), reasons[0]?.[0]]).toEqual(["rejected-hard", 2, "verdict-reject-hard"]);
  });
});

test("none sees another's verdict, in this attempt or in the next", time, async () => {
  const executor = "echo '// more' >> src/sum.mjs; sed -i '1s/-/+/' src/sum.mjs";
  const script = (word: string) => `if (!question.review) await post(reject(1, { what: ${JSON.stringify(word)} }));
    else await post({ ...approve(1), refutations: [{ tried: JSON.stringify(question.review), found: false }] });`;
  const { record } = await judged([script("ADA-WORD said so"), script("BOB-WORD said so"), yes], 2, {
    attempts: 2,
    executor,
  });
  expect(record.state).toBe("approved");
  const seen = record.attempts[1]?.panel?.map((one) => one.verdict.refutations[0]?.tried ?? "");
  expect(seen?.[0]).toContain("ADA-WORD");
  expect(seen?.[0]).not.toContain("BOB-WORD");
  expect(seen?.[1]).not.toContain("ADA-WORD");
});

test("each is a turn: the cap counts them all", time, async () => {
  const { record, turns } = await judged([yes, no("It overflows."), yes], 2, { turns: 2 });
  expect([record.state, record.approval, turns("verifier")]).toEqual(["over-budget", undefined, 2]);
});
