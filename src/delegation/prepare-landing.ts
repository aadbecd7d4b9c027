/**
 * A target that moved: what was approved is merged with it in quarantine, held to the mechanical rules, tested on the
 * target's tip as base, and verified anew where a path of the proposal changed there. Each step is in the ledger before the
 * next begins; a crash between two goes on with what is recorded, as long as the target is where it was.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Delegation, PreparedLanding } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { Finding } from "../domain/rejection.ts";
import { reportFindings } from "../gate/compare-runs.ts";
import { digestBytes, digestValue } from "../gate/digest.ts";
import { judge } from "../gate/judge.ts";
import { approvalFacts, approve, currentFacts, endOfVerdict } from "../gate/land.ts";
import { mergeForLanding } from "../gate/landing-merge.ts";
import type { LandingTarget } from "../gate/landing-target.ts";
import { cut } from "../gate/printable.ts";
import { mechanicalFindings } from "../gate/rules.ts";
import { withSetup } from "../gate/setup.ts";
import { shownDiff } from "../gate/shown-diff.ts";
import { checkApproval } from "../gate/sign-off.ts";
import { testProposal } from "../gate/tester.ts";
import { askedOf } from "../gate/verifier.ts";
import { pathMatcher, protectedMatcher } from "../policy/paths.ts";
import { sandboxOwner } from "../sandbox/engine.ts";
import { ensureBaseTree } from "../worktree/base-tree.ts";
import type { HostRepository } from "../worktree/host-repository.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import { askVerifiers } from "./ask-verifiers.ts";
import { type AttemptPlace, testContext } from "./attempt-place.ts";
import type { LoopTools } from "./tools.ts";

/** What a landing needs of the world. */
export type LandTools = Pick<
  LoopTools,
  | "record"
  | "append"
  | "openRepository"
  | "openQuarantine"
  | "key"
  | "now"
  | "runRole"
  | "loadHarness"
  | "directories"
  | "baselines"
  | "secrets"
> & {
  /** Refuses a branch beside a checked-out one that the planner may not land on. */
  checkTarget?(planner: string, repository: string, ref: string): void;
};

interface Place {
  repository: HostRepository;
  quarantine: Quarantine;
}

/** The ref in quarantine that keeps a merge. */
export const keptMerge = (id: string) => `${id}/landing`;

/**
 * Brings an approved delegation to an approval for `target`, where that is no longer its base. `anew`: the verifier is
 * asked in any case. Errors: `landing-conflict`, `landing-rejected`, and those of a sandbox.
 */
export async function prepareLanding(
  id: string,
  target: LandingTarget,
  place: Place,
  tools: LandTools,
  signal: AbortSignal,
  anew = false,
): Promise<void> {
  const { approval, preparing } = tools.record(id);
  if (!approval) throw new SallyportError("approval-missing", `${id} is not approved`, { next: "Delegate again." });
  // What the new approval takes the place of must hold in every field; in time too, unless the verifier is asked for that.
  const now = anew ? new Date(approval.predicate.issued) : tools.now();
  checkApproval(approval.approval, tools.key, await currentFacts(tools.record(id), place.quarantine), now);
  if (preparing && (preparing.ref !== target.ref || preparing.onto !== target.onto || (anew && !preparing.verify))) {
    const reason = `${target.ref} is at ${target.onto.slice(0, 12)} by now`;
    await tools.append({ type: "landing.abandoned", delegation: id, data: { reason } });
  }
  await merge(id, target, place, tools, anew);
  if (!underWay(tools.record(id)).report) await testMerge(id, place, tools, signal);
  const { report, verify } = underWay(tools.record(id));
  if (report) await refuseFindings(id, "its tests or checks are red", reportFindings(report), tools);
  if (verify) await verifyMerge(id, place, tools, signal);
  await signMerge(id, target, place, tools);
}

function underWay({ id, preparing }: Delegation): PreparedLanding {
  if (!preparing) throw new SallyportError("internal", `${id} has no merge that is being prepared`);
  return preparing;
}

function attemptOf(record: Delegation) {
  const attempt = record.attempts.find((one) => one.number === record.approval?.attempt);
  if (!attempt?.proposal) throw new SallyportError("approval-missing", `${record.id} is not approved`);
  return { number: attempt.number, proposal: attempt.proposal, verdictDigest: attempt.verdictDigest ?? "" };
}

async function merge(
  id: string,
  target: LandingTarget,
  { quarantine }: Place,
  tools: LandTools,
  anew: boolean,
): Promise<void> {
  const record = tools.record(id);
  const { number, proposal, verdictDigest } = attemptOf(record);
  const { ref, onto } = target;
  const made = await mergeForLanding(record, proposal.tree, onto, quarantine);
  // Asked until it slips, every verifier approves at last: what was found wanting is not asked about again.
  const before = record.refusedMerges?.find((one) => one.onto === onto && one.tree === made.tree);
  if (before) throw rejected(`the same merge was rejected before: ${before.reason}`);
  const { preparing } = record;
  if (preparing && preparing.tree !== made.tree)
    throw new SallyportError("worktree-failed", `${id} merges otherwise than it did before`);
  if (!preparing) {
    await quarantine.keep(keptMerge(id), made.commit);
    const { commit, tree, patch, patchBytes } = made;
    const overlap = made.overlap.slice(0, 100).map((path) => path.slice(0, 4000));
    // A verdict is carried for as long as its first approval would have held, and no longer.
    const end = endOfVerdict(record, verdictDigest);
    const isOver = end !== undefined && tools.now().getTime() >= Date.parse(end);
    const verify = anew || isOver || overlap.length > 0;
    await tools.append({
      type: "landing.merged",
      delegation: id,
      data: { attempt: number, ref, onto, commit, tree, patch, patchBytes, overlap, verify },
    });
  }
  const { filesystem, budget } = record.policy;
  const changes = made.changes.map(({ path, kind }) => ({ path, kind }));
  const { commit, tree, patch, patchBytes } = made;
  const findings = mechanicalFindings(
    { attempt: number, commit, tree, patch, patchBytes, changes, ignored: 0 },
    await quarantine.treeOf(onto),
    {
      writable: pathMatcher(filesystem.writable),
      isProtected: protectedMatcher(filesystem.protected),
      writablePatterns: filesystem.writable,
      patchLimit: budget.patch,
      rejectedTrees: new Map(),
    },
  );
  await refuseFindings(id, "it breaks a rule", findings, tools);
}

/** The tester's sandbox on the merge, with the target's tip as base: its tests, its setup, the brief's checks. */
async function testMerge(id: string, place: Place, tools: LandTools, signal: AbortSignal): Promise<void> {
  const record = tools.record(id);
  const { attempt, onto, tree } = underWay(record);
  const base = await ensureBaseTree({
    quarantine: place.quarantine,
    directory: tools.directories.trees,
    commit: onto,
    visible: pathMatcher(["**"]),
    visibleKey: JSON.stringify(["**"]),
    owner: sandboxOwner,
  });
  await inDirectory(id, tools, async (directory) => {
    const { runRole } = tools;
    const report = await withSetup({ record, base, directory, runRole, signal }, async (setup) => {
      const at: AttemptPlace = { ...place, base, whole: base, setup, directory };
      const context = testContext(record, attempt, "test-landing", at, tools, signal);
      const evidence = { criteria: record.brief.accept, checkFiles: record.checkFiles };
      return testProposal(context, tree, evidence, tools.baselines);
    });
    signal.throwIfAborted();
    const masked = tools.secrets.known()
      ? (JSON.parse(await tools.secrets.mask(JSON.stringify(report))) as typeof report)
      : report;
    await tools.append({
      type: "landing.tested",
      delegation: id,
      data: { attempt, report: masked, digest: digestValue(masked) },
    });
  });
}

/** The verifier's turn about the diff from the target's tip to the merge. */
async function verifyMerge(id: string, place: Place, tools: LandTools, signal: AbortSignal): Promise<void> {
  const record = tools.record(id);
  const { attempt, onto, tree, patch: digest, report } = underWay(record);
  const { quarantine } = place;
  const patch = await quarantine.patch(await quarantine.treeOf(onto), tree, record.policy.budget.patch);
  if (!patch.ok || !report || digestBytes(patch.patch) !== digest)
    throw new SallyportError("worktree-failed", "the merge changed between its making and its verification");
  const shown = await shownDiff(quarantine, await quarantine.treeOf(onto), tree, record.policy.budget.patch);
  if (!underWay(record).verdict) {
    const panel: NonNullable<PreparedLanding["panel"]> = [];
    const answers = await inDirectory(id, tools, async (directory) =>
      askVerifiers(
        {
          record,
          attempt,
          brief: record.brief,
          report,
          patch: patch.patch,
          shown,
          directory: join(directory, "verify"),
          async onVerdict({ harness, image }, verdict) {
            panel.push({ harness, image, verdict });
          },
        },
        tools,
        signal,
      ),
    );
    // Of a panel that rejects, a word that does so stands for the whole.
    const against = record.panel ? panel.find(({ verdict }) => verdict.decision !== "approve") : panel[0];
    const verdict = answers.is === "approved" ? answers.verdict : against?.verdict;
    if (verdict) {
      const data = { attempt, verdict, digest: digestValue(verdict), ...(record.panel ? { panel } : {}) };
      await tools.append({ type: "landing.verified", delegation: id, data });
    } else if (answers.is === "rejected" && answers.judged) {
      await refuseFindings(id, "the verifier does not approve it", answers.findings, tools, true);
    } else {
      // Nobody has judged it: it stays as it is, and can be asked about again.
      const found = answers.is === "rejected" ? answers.findings[0]?.message : undefined;
      const why = answers.is === "over-budget" ? answers.what : (found ?? "there was none");
      await tools.append({ type: "landing.abandoned", delegation: id, data: { reason: cut(why, 4000) } });
      throw rejected(`the verifier gave no verdict on the merge: ${why}`);
    }
  }
  // Judged from what is recorded: a crash between the two changes nothing.
  const { verdict } = underWay(tools.record(id));
  if (!verdict) throw new SallyportError("internal", `${id} has no verdict on its merge`);
  const { lines } = askedOf(record.brief, shown ?? patch.patch, report, undefined);
  const { approved, findings } = judge(verdict, record.brief.accept, lines, report);
  if (!approved) await refuseFindings(id, "the verifier does not approve it", findings, tools, true);
}

/** The new approval: it names the old one, and ends with it unless the verifier was asked anew. */
async function signMerge(id: string, target: LandingTarget, { quarantine }: Place, tools: LandTools): Promise<void> {
  const record = tools.record(id);
  const { approval, preparing, policy } = record;
  if (!approval || !preparing) throw new SallyportError("internal", `${id} has nothing to be signed`);
  if (!preparing.verify) {
    // The verdict is carried: the approval that holds it must itself hold, now as before.
    checkApproval(approval.approval, tools.key, await currentFacts(record, quarantine), tools.now());
  }
  const facts = await approvalFacts(record, preparing.attempt, quarantine, target.ref, preparing);
  const data = approve(facts, tools.key, tools.now(), {
    lifetime: policy.landing?.expires,
    replaces: approval.digest,
    until: preparing.verify ? undefined : endOfVerdict(record, facts.verdict),
  });
  await tools.append({ type: "delegation.approved", delegation: id, data });
}

const rejected = (message: string) =>
  new SallyportError("landing-rejected", cut(message, 6000), {
    next: "Nothing was changed. See `sallyport log ID`; delegate again on the target's new commit.",
  });

/** Ends a landing whose merge was found wanting; the same merge is not judged again. */
async function refuseFindings(
  id: string,
  what: string,
  findings: readonly Finding[],
  tools: LandTools,
  always = false,
): Promise<void> {
  if (findings.length === 0 && !always) return;
  const said = findings
    .slice(0, 5)
    .map(({ reason, path, message }) => `${reason}: ${path ? `${path}: ` : ""}${message}`);
  const reason = cut(`${what}: ${said.join("; ")}`, 4000);
  await tools.append({ type: "landing.abandoned", delegation: id, data: { reason, rejected: true } });
  throw rejected(`merged with ${tools.record(id).approval?.predicate.ref ?? "its target"}: ${reason}`);
}

/** A directory of this landing's own; gone afterwards. */
async function inDirectory<T>(id: string, tools: LandTools, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = join(tools.directories.lanes, `${id}.land`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
