/**
 * One case through the host's own gate, up to the verifier: layer, collection, search for secrets, mechanical rules, tests
 * and checks in real tester sandboxes. What each stage found is recorded whole, also after one that rejects: so it can
 * be asked later what would have stopped the case if that rule were not there.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { neededFiles } from "../../src/delegation/admit.ts";
import { mechanicalRules, withPatch } from "../../src/delegation/attempt.ts";
import { findSecrets } from "../../src/delegation/find-secrets.ts";
import type { Attempt } from "../../src/domain/delegation.ts";
import type { Finding } from "../../src/domain/rejection.ts";
import type { TestReport } from "../../src/domain/test-report.ts";
import { layerInodes } from "../../src/gate/clean-tree.ts";
import { type MechanicalRules, mechanicalFindings } from "../../src/gate/rules.ts";
import { type BaselineCache, testProposal } from "../../src/gate/tester.ts";
import type { HouseSecrets } from "../../src/host/house-secrets.ts";
import { pathMatcher } from "../../src/policy/paths.ts";
import { sandboxOwner } from "../../src/sandbox/engine.ts";
import type { RunRole } from "../../src/sandbox/role-run.ts";
import { namesIn, searchFor } from "../../src/secrets/masker.ts";
import { type Collected, collectLayer } from "../../src/worktree/collect.ts";
import { createLayer, destroyLayer, freezeLayer, openWorkspace } from "../../src/worktree/layer.ts";
import type { CaseClass } from "../../test/gate-corpus/classes.ts";
import type { CorpusBrief, CorpusCase } from "../../test/gate-corpus/load.ts";
import { corpusSecret } from "../../test/gate-corpus/secret.ts";
import { difference } from "../../test/gate-corpus/tree.ts";
import type { Place } from "./place.ts";
import { writeLayer } from "./write-layer.ts";

/** What the host saw of one case. */
export interface CaseEvidence {
  name: string;
  class: CaseClass;
  reach: "tests" | "reading";
  /** Whether each criterion has a check, or asks for tests: what a verifier without a model can show. */
  showable: boolean;
  /** Findings of collection: there is no tree then, and nothing after it ran. */
  collection: Finding[];
  secrets: Finding[];
  mechanical: Finding[];
  /** The same where nothing is protected: a protected path may also be outside of what is writable. */
  unprotected: Finding[];
  /** The mechanical rules' findings where this very tree was rejected as an earlier attempt. */
  again: Finding[];
  tree?: string;
  patch?: string;
  report?: TestReport;
  /** Milliseconds of the host's own work: from the frozen layer to a tree, and what it makes of that tree before any test. */
  collecting: number;
  ruling: number;
}

export interface BenchTools {
  runRole: RunRole;
  image: (name: string) => Promise<string>;
  baselines: BaselineCache;
  /** Holds the keys that a verifier's model routes need, and lets them go. */
  secrets: Pick<HouseSecrets, "hold" | "release">;
  signal: AbortSignal;
}

const { asksForTests } = (await import(
  new URL("../../images/skeptic-rules/files/skeptic/verdict.mjs", import.meta.url).href
)) as { asksForTests: (must: string) => boolean };

let count = 0;
/** A name for one turn; delegations have such names. */
export const freshId = () =>
  `d-${(count++)
    .toString(36)
    .padStart(4, "0")
    .replaceAll(/[0189]/g, "a")}${"a".repeat(12)}`;

const search = searchFor(new Map([["corpus", [corpusSecret]]]));
const secrets = {
  known: () => true,
  mask: async (text: string) => text,
  contains: async (bytes: Buffer) => namesIn(search, bytes),
};

/** Puts a case through the gate and records what each stage found. */
export async function gatherEvidence(
  place: Place,
  brief: CorpusBrief,
  one: CorpusCase,
  tools: BenchTools,
): Promise<CaseEvidence> {
  const policy = place.policyOf(brief);
  const { quarantine, base } = place.attempt;
  const showable = brief.brief.accept.every((c) => c.checks.length > 0 || asksForTests(c.must));
  const about = { name: one.name, class: one.class, reach: one.reach, showable };
  const directory = join(place.attempt.directory, one.name.replaceAll("/", "-"));
  await mkdir(directory, { recursive: true, mode: 0o755 });
  try {
    const { collected, milliseconds } = await collectCase(place, brief, one, directory);
    if (!collected.ok)
      return {
        ...about,
        collection: collected.findings,
        secrets: [],
        mechanical: [],
        unprotected: [],
        again: [],
        collecting: milliseconds,
        ruling: 0,
      };
    const begun = performance.now();
    const changes = await quarantine.changes(base.tree, collected.tree);
    const found = await findSecrets(quarantine, base.commit, collected.tree, changes, secrets);
    const proposed = await withPatch(1, collected, place.attempt, policy.budget.patch, { exit: 0 });
    const rules = (attempts: Attempt[], change: Partial<MechanicalRules> = {}) =>
      "proposal" in proposed
        ? mechanicalFindings(proposed.proposal, base.tree, { ...mechanicalRules({ policy, attempts }), ...change })
        : proposed.is === "rejected"
          ? proposed.findings
          : [];
    const mechanical = rules([]);
    const ruled = performance.now();
    const whole = await quarantine.patch(base.tree, collected.tree, 64 * 1024 * 1024);
    const proposal = "proposal" in proposed ? { proposal: proposed.proposal } : {};
    const rejection = { by: "verifier" as const, hard: false, findings: [] };
    const again = rules([{ number: 1, from: base.tree, executor: "scripted", ...proposal, rejection }]);
    const report = await testProposal(
      {
        delegation: freshId(),
        attempt: 1,
        policy,
        image: await tools.image(policy.tests?.image ?? "base"),
        place: { quarantine, base, setup: [], directory: join(directory, "test"), disk: policy.sandbox.disk },
        runRole: tools.runRole,
        signal: tools.signal,
        breaks: brief.brief.breaks,
      },
      collected.tree,
      { criteria: brief.brief.accept, checkFiles: neededFiles(brief.brief.accept, brief.checkFiles) },
      tools.baselines,
    );
    return {
      ...about,
      collection: [],
      secrets: found.findings,
      mechanical,
      unprotected: rules([], { isProtected: () => false }),
      again,
      tree: collected.tree,
      patch: whole.ok ? whole.patch.toString("utf8") : "",
      report,
      collecting: milliseconds,
      ruling: ruled - begun,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function collectCase(
  place: Place,
  brief: CorpusBrief,
  one: CorpusCase,
  directory: string,
): Promise<{ collected: Collected; milliseconds: number }> {
  const policy = place.policyOf(brief);
  const { base, quarantine } = place.attempt;
  const lowers = [base.files];
  const layer = await createLayer({
    directory,
    name: "layer",
    bytes: policy.sandbox.disk,
    inodes: layerInodes,
    owner: sandboxOwner,
  });
  try {
    const workspace = await openWorkspace({ lowers, layer, target: join(directory, "workspace") });
    await writeLayer(workspace.target, difference(place.repository.base, one.tree));
    const begun = performance.now();
    const collected = await collectLayer({
      quarantine,
      base,
      layer: await freezeLayer(workspace),
      lowers,
      limits: { entries: layerInodes, bytes: policy.sandbox.disk, fileBytes: 64 * 1024 * 1024 },
      visible: pathMatcher(policy.filesystem.visible),
      ref: `corpus/${one.name.replaceAll("/", "-")}`,
      commit: {
        message: `Proposal ${one.name}\n`,
        author: { name: "Sallyport quarantine", email: "sallyport@localhost" },
        date: new Date(1_700_000_000_000),
      },
    });
    return { collected, milliseconds: performance.now() - begun };
  } finally {
    await destroyLayer(layer);
  }
}
