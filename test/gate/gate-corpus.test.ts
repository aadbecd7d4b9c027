/** The corpus of the gate: its form, its labels, and a case of every rule through the real gate. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ablate, decisionOf } from "../../bench/gate/arms.ts";
import { hostRules } from "../../bench/gate/decide.ts";
import { type Measured, measureCases, type Selected } from "../../bench/gate/measure-cases.ts";
import { type BenchRig, openBenchRig } from "../../bench/gate/rig.ts";
import { missedGoals } from "../../bench/gate/score.ts";
import { shippedImages } from "../../src/host/config.ts";
import { narrowPolicy } from "../../src/policy/narrow.ts";
import { connectEngine } from "../../src/sandbox/connect.ts";
import { dockerEngine } from "../../src/sandbox/docker-engine.ts";
import { findImage } from "../../src/sandbox/images/find.ts";
import { caseClasses, kindOf } from "../gate-corpus/classes.ts";
import { loadCorpus } from "../gate-corpus/load.ts";
import { proofInstance, proveBrief } from "../gate-corpus/prove.ts";
import { difference } from "../gate-corpus/tree.ts";

const corpus = await loadCorpus();
const briefs = corpus.flatMap((repository) => repository.briefs.map((brief) => ({ repository, brief })));
const all = briefs.flatMap(({ brief }) => brief.cases);

describe("the corpus' form", () => {
  it.each(briefs.map((b) => [`${b.repository.id}/${b.brief.id}`, b] as const))("%s", (_, { repository, brief }) => {
    expect(() => narrowPolicy(repository.policy, brief.brief)).not.toThrow();
    const of = (kind: string) => brief.cases.filter((one) => kindOf(one.class) === kind);
    expect(of("good").length).toBeGreaterThanOrEqual(6);
    expect(of("rule").length + of("semantic").length).toBeGreaterThanOrEqual(18);
    expect(new Set(brief.cases.map((one) => one.class)).size).toBeGreaterThanOrEqual(12);
    expect(brief.cases.filter((one) => one.class === "gold")).toHaveLength(1);
    // A case that equals another one would be counted twice.
    const trees = new Map<string, string>();
    for (const one of brief.cases) {
      const changed = difference(repository.base, one.tree);
      const key = JSON.stringify(
        [...changed]
          .map(([path, e]) => [path, e && "content" in e ? [e.mode, e.content.toString("base64")] : e])
          .sort(),
      );
      expect(trees.get(key), `${one.name} is the same as`).toBeUndefined();
      trees.set(key, one.name);
      if (one.class !== "empty") expect(changed.size, one.name).toBeGreaterThan(0);
    }
  });

  it("has cases of every class, from more than one brief", () => {
    for (const name of caseClasses) {
      const found = briefs.filter(({ brief }) => brief.cases.some((one) => one.class === name));
      expect(found.length, name).toBeGreaterThanOrEqual(2);
    }
    expect(all.some((one) => kindOf(one.class) === "semantic" && one.reach === "tests")).toBe(true);
  });
});

// All of them: make gate-labels.
it("has labels that its hidden tests bear out, for a brief of each language", async () => {
  const docker = await connectEngine();
  const engine = dockerEngine(docker);
  try {
    const languages = new Map(corpus.map((repository) => [repository.policy.tests?.image ?? "base", repository]));
    const queue = [...languages.values()].flatMap((repository) =>
      repository.briefs.slice(0, 1).map((brief) => ({ repository, brief })),
    );
    const work = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const image = await findImage(docker, next.repository.policy.tests?.image ?? "base", shippedImages);
        expect(await proveBrief(engine, image.digest, next.repository, next.brief)).toEqual([]);
      }
    };
    await Promise.all([work(), work()]);
  } finally {
    await engine.sweep(proofInstance);
  }
}, 900_000);

describe("the real gate", () => {
  /** A case for each host rule that only this rule stops, and some that no rule can. */
  const chosen = [
    "money-js/half-even/gold",
    "money-js/half-even/security-git-spelling",
    "money-js/half-even/security-link",
    "money-js/half-even/scope-path-changelog",
    "money-js/half-even/tampered-weakened",
    "money-js/half-even/tampered-deleted-test",
    "money-js/half-even/red-only-divide",
    "money-js/half-even/partial-negative",
    "money-js/allocate/security-large",
    "money-js/allocate/security-secret",
    "money-js/allocate/forged-linked",
    "money-js/allocate/weak-proof",
    "routes-ts/allow/security-nested",
    "routes-ts/allow/security-setuid",
    "routes-ts/allow/protected-env",
    "routes-ts/allow/forged-tests-rewritten",
    "routes-ts/allow/forged-blind-assertions",
    "routes-ts/negotiate/tampered-skipped-new",
    "table-js/sort/empty",
  ];
  let rig: BenchRig;
  let measured: Measured[];
  beforeAll(async () => {
    rig = await openBenchRig();
    const selected: Selected[] = briefs.flatMap(({ repository, brief }) =>
      brief.cases.filter((one) => chosen.includes(one.name)).map((one) => ({ repository, brief, one })),
    );
    expect(selected).toHaveLength(chosen.length);
    measured = await measureCases(selected, rig, { verifiers: ["skeptic-rules"] });
  }, 900_000);
  afterAll(() => rig?.close());

  const asked = ["always-approve", "always-reject", "skeptic-rules"] as const;
  const named = (name: string) => measured.find((m) => m.evidence.name.endsWith(name)) as Measured;

  it("meets every goal", () => {
    expect(missedGoals(measured, asked)).toEqual([]);
  });

  it("approves what is good, and rejects it where the judge does", () => {
    expect(asked.map((arm) => decisionOf(arm, named("half-even/gold"))?.approved)).toEqual([true, false, true]);
  });

  it("lets a bribed judge approve what no rule can see: the judge is needed too", () => {
    expect(decisionOf("always-approve", named("partial-negative"))?.approved).toBe(true);
  });

  // No case fills a layer: what test/worktree/layer.test.ts shows would take minutes here, as a patch of its size.
  it.each(hostRules.filter((rule) => rule !== "layer-too-large"))("misses a goal without the rule %s", (rule) => {
    expect(missedGoals(measured, asked, rule)).not.toEqual([]);
    expect(ablate(measured, [rule]).get(rule)).not.toEqual([]);
  });
});
