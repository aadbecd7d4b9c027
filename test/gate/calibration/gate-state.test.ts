import { describe, expect, it } from "vitest";
import type { Event } from "../../../src/domain/event.ts";
import { type GateState, openGate, stepGate } from "../../../src/gate/calibration/gate-state.ts";
import { verifierRates } from "../../../src/gate/calibration/rates.ts";

const image = `sha256:${"a".repeat(64)}`;
const judged = (label: "bad" | "good", approved: boolean, change: object = {}): Event => ({
  type: "canary.judged",
  delegation: "c-aaaaaaaaaaaaaaaa",
  data: {
    case: `some-${label}`,
    label,
    harness: "skeptic",
    image,
    policy: "base",
    approved,
    hard: false,
    reasons: approved ? [] : ["verdict-unproven"],
    ...change,
  },
});
const fold = (...events: Event[]): GateState =>
  events.reduce((state, event, index) => {
    const time = new Date(Date.UTC(2026, 0, 1, 0, 0, index)).toISOString();
    return stepGate(state, { ...event, time });
  }, openGate);
const opened: Event = { type: "gate.opened", data: { by: "default", reason: "another image" } };
const closed: Event = { type: "gate.closed", data: { by: "ada", reason: "not sure" } };

describe("whether the gate is open, from the ledger alone", () => {
  it("one approved bad change closes it, by its judgement itself", () => {
    const state = fold(judged("good", true), judged("bad", false), judged("bad", true));
    expect(state.closed).toMatchObject({ by: "calibration", canary: "c-aaaaaaaaaaaaaaaa" });
    expect(state.closed?.reason).toContain("some-bad");
  });

  it("a good change that is rejected never closes it", () => {
    expect(fold(...Array.from({ length: 100 }, () => judged("good", false))).closed).toBeUndefined();
  });

  it("nothing but an operator's word opens it, and the next miss closes it again", () => {
    expect(fold(judged("bad", true), judged("bad", false), judged("good", true)).closed).toBeDefined();
    expect(fold(judged("bad", true), opened).closed).toBeUndefined();
    expect(fold(judged("bad", true), opened, judged("bad", true)).closed?.by).toBe("calibration");
  });

  it("an operator can close it, and the first reason stays", () => {
    expect(fold(closed).closed).toMatchObject({ by: "ada", reason: "not sure" });
    expect(fold(closed, judged("bad", true)).closed?.by).toBe("ada");
    expect(fold(judged("bad", true), closed).closed?.by).toBe("calibration");
    expect(fold(closed, opened)).toMatchObject({ opened: { by: "default", reason: "another image" } });
  });
});

describe("rolling rates", () => {
  it("are told per verifier, image and policy, over the last ones", () => {
    const other = { image: `sha256:${"b".repeat(64)}` };
    const state = fold(
      judged("bad", true),
      judged("bad", false),
      judged("bad", false),
      judged("good", false),
      judged("good", true),
      judged("bad", false, other),
      judged("bad", false, { policy: "strict" }),
    );
    const all = verifierRates(state, 200);
    expect(all.map(({ canaries, policy }) => [canaries, policy])).toEqual([
      [5, "base"],
      [1, "base"],
      [1, "strict"],
    ]);
    expect(all[0]?.falseApproval).toMatchObject({ count: 1, of: 3 });
    expect(all[0]?.falseRejection).toMatchObject({ count: 1, of: 2, rate: 0.5 });
    expect(all[0]?.wrong).toEqual({ "some-bad": 1, "some-good": 1 });
    // The approved one is not among the last four any more.
    expect(verifierRates(state, 4)[0]?.falseApproval).toMatchObject({ count: 0, of: 2 });
    expect(verifierRates(state, 4)[0]?.falseApproval.high).toBeCloseTo(1 - 0.05 ** 0.5, 6);
  });

  it("a canary that failed by no fault of the verifier counts for nothing", () => {
    const data = {
      case: "x",
      label: "bad" as const,
      harness: "skeptic",
      image,
      policy: "base",
      code: "internal",
      message: "",
    };
    const state = fold({ type: "canary.failed", delegation: "c-aaaaaaaaaaaaaaaa", data });
    expect(state.failed).toBe(1);
    expect(verifierRates(state, 200)).toEqual([]);
  });
});
