import { describe, expect, test } from "vitest";
import { chooseFirst, chooseNext } from "../../src/delegation/route-executor.ts";
import type { Share } from "../../src/delegation/track-record.ts";
import type { Attempt } from "../../src/domain/delegation.ts";
import { oid } from "../gate/samples.ts";

const share = (executor: string, change: Partial<Share> = {}): Share => ({
  delegation: "d-aaaaaaaaaaaaaaaa",
  executor,
  model: "",
  kind: "tests",
  first: true,
  retries: { count: 0, approved: 0 },
  approved: true,
  stuck: false,
  overBudget: false,
  rejections: { host: 0, tests: 0, verifier: 0 },
  protectedPaths: 0,
  denials: 0,
  tokens: 0,
  microusd: 0,
  list: 0,
  milliseconds: 0,
  ...change,
});
/** So many first tries, of which so many were approved, at so many micro-dollars each. */
const tries = (executor: string, good: number, bad: number, list = 0, change: Partial<Share> = {}) => [
  ...Array.from({ length: good }, () => share(executor, { list, ...change })),
  ...Array.from({ length: bad }, () => share(executor, { first: false, approved: false, list, ...change })),
];
const attempt = (number: number, executor: string, rejected = true): Attempt => ({
  number,
  from: oid("0"),
  executor,
  ...(rejected
    ? {
        rejection: {
          by: "verifier" as const,
          hard: false,
          findings: [{ reason: "verdict-reject" as const, message: "no" }],
        },
      }
    : { failure: { code: "internal", message: "x" } }),
});

const names = ["a", "b", "c"];

describe("the first attempt goes to", () => {
  test("the first of the brief while nothing is known, then to whoever was tried least, in turn", () => {
    const shares: Share[] = [];
    const chosen: string[] = [];
    for (let n = 0; n < 15; n++) {
      const { executor } = chooseFirst(names, "tests", shares);
      chosen.push(executor);
      shares.push(share(executor));
    }
    expect(chosen.join("")).toBe("abcabcabcabcabc");
  });

  test("the best lower bound: ten of ten before five of five before nine of ten", () => {
    const shares = [...tries("a", 5, 0), ...tries("b", 10, 0), ...tries("c", 9, 1)];
    expect(chooseFirst(names, "tests", shares)).toMatchObject({ executor: "b" });
    expect(chooseFirst(["a", "c"], "tests", shares)).toMatchObject({ executor: "c" });
  });

  test("the best lower bound for a dollar, where each of them costs something", () => {
    const dear = tries("a", 20, 0, 100_000);
    const cheap = tries("b", 15, 5, 10_000);
    const { executor, reasons } = chooseFirst(["a", "b"], "tests", [...dear, ...cheap]);
    expect(executor).toBe("b");
    expect(reasons.join("\n")).toMatch(/for a dollar[\s\S]*a: 20 of 20[\s\S]*\$0\.1000[\s\S]*b: 15 of 20/);
    // One whose work costs nothing cannot be divided by: then the bound alone counts.
    expect(chooseFirst(["a", "b"], "tests", [...dear, ...tries("b", 15, 5, 0)]).executor).toBe("a");
  });

  test("whoever is best at this kind of work, where that is known of all; else at all kinds", () => {
    const docs = [...tries("a", 8, 0, 0, { kind: "docs" }), ...tries("b", 0, 8, 0, { kind: "docs" })];
    const tests = [...tries("a", 0, 8), ...tries("b", 8, 0)];
    expect(chooseFirst(["a", "b"], "docs", [...docs, ...tests]).executor).toBe("a");
    expect(chooseFirst(["a", "b"], "tests", [...docs, ...tests]).executor).toBe("b");
    expect(
      chooseFirst(["a", "b"], "source:go", [...docs, ...tries("a", 1, 0, 0, { kind: "source:go" })]).executor,
    ).toBe("a");
  });

  test("the same for the same ledger, and in the order of the brief where they are equal", () => {
    const shares = names.flatMap((name) => tries(name, 6, 2));
    expect(chooseFirst(names, "tests", shares)).toEqual(chooseFirst(names, "tests", shares.toReversed()));
    expect(chooseFirst(["c", "a", "b"], "tests", shares).executor).toBe("c");
  });
});

describe("after a rejection", () => {
  const poorAtRetries = tries("a", 6, 4).map((one, n) =>
    n < 6 ? { ...one, retries: { count: 1, approved: n === 0 ? 1 : 0 } } : one,
  );
  const rejected = [attempt(1, "a")];

  test("it stays, while nothing speaks against it", () => {
    expect(chooseNext(["a", "b"], "tests", [], rejected)).toMatchObject({ executor: "a" });
    const good = poorAtRetries.map((one) => ({ ...one, retries: { count: 1, approved: 1 } }));
    expect(chooseNext(["a", "b"], "tests", [...good, ...tries("b", 9, 1)], rejected).executor).toBe("a");
  });

  test("it goes to another whose first tries are surely better than its retries", () => {
    const { executor, reasons } = chooseNext(["a", "b"], "tests", [...poorAtRetries, ...tries("b", 9, 1)], rejected);
    expect(executor).toBe("b");
    expect(reasons[0]).toMatch(/b takes over: 1 of 6 retries of a were approved/);
  });

  test("not to one of which too little is known, nor to one that has had this brief", () => {
    expect(chooseNext(["a", "b"], "tests", [...poorAtRetries, ...tries("b", 4, 0)], rejected).executor).toBe("a");
    const both = [attempt(1, "b"), attempt(2, "a")];
    expect(chooseNext(["a", "b"], "tests", [...poorAtRetries, ...tries("b", 9, 1)], both).executor).toBe("a");
  });

  test("and after a fault of the host's it is tried again by the same", () => {
    const shares = [...poorAtRetries, ...tries("b", 9, 1)];
    expect(chooseNext(["a", "b"], "tests", shares, [attempt(1, "a", false)]).executor).toBe("a");
  });
});
