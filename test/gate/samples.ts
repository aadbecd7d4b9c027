/** Plain values that the gate's tests start from, each whole and green. */
import type { Criterion } from "../../src/domain/brief.ts";
import type { Policy } from "../../src/domain/policy.ts";
import type { TestReport, TestRun } from "../../src/domain/test-report.ts";
import type { Verdict } from "../../src/domain/verdict.ts";

export const oid = (digit: string) => digit.repeat(40);
export const digest = (digit: string) => digit.repeat(64);

export function policyOf(change: Partial<Policy> = {}): Policy {
  return {
    version: 1,
    name: "sample",
    sandbox: { runtime: "runc", cpus: 2, memory: 512 * 1024 ** 2, pids: 128, disk: 64 * 1024 ** 2 },
    filesystem: { visible: ["**"], writable: ["src/**", "test/**"], protected: [".github"] },
    network: [],
    models: {},
    secrets: {},
    budget: { wall: 60_000, requests: 10, attempts: 3, patch: 256 * 1024, output: 1024 * 1024 },
    verifier: { harness: "skeptic", intent: true },
    ...change,
  };
}

export function runOf(tests: TestRun["tests"], change: Partial<TestRun> = {}): TestRun {
  const green = !Object.values(tests).includes("failed");
  return { tree: oid("a"), exit: 1, ended: "exit", milliseconds: 5, tests, green, tail: "", ...change };
}

export function reportOf(change: Partial<TestReport> = {}): TestReport {
  const run = runOf({ works: "passed" });
  return {
    tested: true,
    base: run,
    proposal: run,
    proven: run,
    failToPass: [],
    passToPass: ["works"],
    broken: [],
    disappeared: [],
    newlySkipped: [],
    unproven: [],
    checks: [],
    ...change,
  };
}

export const criteria: Criterion[] = [
  { id: "A1", must: "it adds", checks: [] },
  { id: "A2", must: "it is tested", checks: [] },
];

export const patch = `diff --git a/src/sum.mjs b/src/sum.mjs
index 1111111111111111111111111111111111111111..2222222222222222222222222222222222222222 100644
--- a/src/sum.mjs
+++ b/src/sum.mjs
@@ -1,3 +1,4 @@
 export const sum = (a, b) =>
-  a - b;
+  a +
+  b;
 // end
`;

export function approval(change: Partial<Verdict> = {}): Verdict {
  return {
    decision: "approve",
    criteria: [
      { id: "A1", status: "met", evidence: [{ path: "src/sum.mjs", line: 2 }], why: "line 2 adds" },
      { id: "A2", status: "met", evidence: [{ test: "works" }], why: "the test passes" },
    ],
    refutations: [{ tried: "negative numbers", found: false, detail: "" }],
    feedback: [],
    ...change,
  };
}
