/** A small run of `bench/verdicts.ts`: every turn of the verifier with a model ends in a verdict that the host takes. */
import { expect, test } from "vitest";
import { runVerdicts } from "./verdict-rate.ts";

test("whatever its model says, the verifier's verdict is valid", { timeout: 120_000 }, async () => {
  const outcomes = await runVerdicts({ turns: 60, share: 0.8, seed: 7 });
  expect(outcomes.filter((one) => !one.valid)).toEqual([]);
  // The benign twin: answers that are right are not lost among those that are not.
  const decided = outcomes.filter((one) => one.verdict?.criteria.every((c) => c.status !== "unproven"));
  expect(decided.length).toBeGreaterThan(5);
  expect(outcomes.some((one) => one.verdict?.decision === "reject")).toBe(true);
});

test("a model that answers well is believed", { timeout: 120_000 }, async () => {
  const outcomes = await runVerdicts({ turns: 12, share: 0, seed: 3 });
  expect(outcomes.every((one) => one.valid && one.verdict?.criteria.every((c) => c.status !== "unproven"))).toBe(true);
  expect(outcomes.some((one) => one.verdict?.decision === "approve")).toBe(true);
});

test("what the host takes by no mending is given up: the plainest verdict is left, and is valid", {
  timeout: 120_000,
}, async () => {
  const outcomes = await runVerdicts({ turns: 4, share: 0, seed: 5, stubborn: true });
  expect(outcomes.map((one) => [one.valid, one.refused])).toEqual(Array(4).fill([true, 4]));
  for (const { verdict } of outcomes) {
    expect(verdict?.decision).toBe("reject");
    expect(verdict?.criteria.map((one) => one.status)).toEqual(["unproven", "unproven"]);
  }
});
