/** Landing: what was tested, verified and signed goes onto the target by compare-and-swap, or nothing does. */
import type { ApprovalPredicate, Envelope } from "../domain/approval.ts";
import type { Attempt, Delegation, PreparedLanding } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { EventData } from "../domain/event.ts";
import { approvalLifetime } from "../domain/policy.ts";
import { checkedOutBranches } from "../worktree/checked-out.ts";
import { runGit } from "../worktree/git.ts";
import { type HostRepository, readRef, receivePack, swapRef } from "../worktree/host-repository.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import { commitMessage } from "./commit-message.ts";
import { digestBytes, digestValue } from "./digest.ts";
import type { HostKey, HostPublicKey } from "./keys.ts";
import { mergeForLanding } from "./landing-merge.ts";
import type { LandingTarget } from "./landing-target.ts";
import { judgesOf } from "./panel.ts";
import { checkApproval, signApproval } from "./sign-off.ts";

export type ApprovalFacts = Omit<ApprovalPredicate, "issued" | "expires" | "replaces">;

/** What an attempt must have before anything is said of it. */
interface Verified extends Attempt {
  proposal: NonNullable<Attempt["proposal"]>;
  report: NonNullable<Attempt["report"]>;
  verdict: NonNullable<Attempt["verdict"]>;
}

function verifiedAttempt(record: Delegation, number: number): Verified {
  const attempt = record.attempts.find((a) => a.number === number);
  if (!attempt?.proposal || !attempt.report || !attempt.verdict) {
    throw new SallyportError("approval-missing", `attempt ${number} of ${record.id} has no verified proposal`, {
      next: "Delegate again.",
    });
  }
  if (attempt.rejection || attempt.failure || attempt.verdict.decision !== "approve") {
    throw new SallyportError("approval-missing", `attempt ${number} of ${record.id} was not approved by its verifier`, {
      next: "Delegate again.",
    });
  }
  return attempt as Verified;
}

/**
 * What the approval must say, computed again from the quarantine and the ledger's record: nothing is taken from the
 * approval itself. `prepared`: the merge with a target that moved, of which the ledger tells; left out: the attempt's own
 * tree at the delegation's base.
 */
export async function approvalFacts(
  record: Delegation,
  attemptNumber: number,
  quarantine: Quarantine,
  ref: string,
  prepared?: PreparedLanding,
): Promise<ApprovalFacts> {
  const attempt = verifiedAttempt(record, attemptNumber);
  const tree = await quarantine.treeOf(attempt.proposal.commit);
  // Only what was tested can land: the report names the tree that it is about.
  refuseOther(attemptNumber, tree, attempt.proposal.tree, attempt.report);
  const what = prepared
    ? await mergedFacts(record, attempt, quarantine, ref, prepared)
    : await attemptFacts(record, attempt, quarantine, tree);
  // Whose word the approval rests on: the merge's own verdict, or that of the attempt.
  const panel = prepared?.verdict ? prepared.panel : attempt.panel;
  return {
    repository: record.repository,
    ref,
    delegation: record.id,
    attempt: attemptNumber,
    ...what,
    brief: digestValue(record.brief),
    policy: digestValue(record.policy),
    images: record.images,
    ...(record.plan?.combines ? { members: record.plan.combines.map((part) => part.approval) } : {}),
    verifier: { harness: judgesOf(record)[0]?.harness ?? "", image: record.images.verifier },
    ...(panel
      ? {
          panel: panel.map(({ harness, image, verdict }) => ({
            harness,
            image,
            decision: verdict.decision,
            verdict: digestValue(verdict),
          })),
        }
      : {}),
  };
}

type WhatLands = Pick<ApprovalFacts, "base" | "tree" | "patch" | "testReport" | "verdict">;

function refuseOther(attempt: number, tree: string, said: string, report: Verified["report"]): void {
  const tested = report.tested ? report.proposal?.tree : tree;
  if (tree === said && tree === tested) return;
  throw new SallyportError(
    "approval-invalid",
    `the tree of attempt ${attempt} is ${tree}, collected was ${said}, tested ${tested}`,
    { next: "Delegate again." },
  );
}

async function attemptFacts(
  record: Delegation,
  attempt: Verified,
  quarantine: Quarantine,
  tree: string,
): Promise<WhatLands> {
  const patch = await quarantine.patch(await quarantine.treeOf(record.base), tree, record.policy.budget.patch);
  return {
    base: record.base,
    tree,
    patch: patch.ok ? digestBytes(patch.patch) : "0".repeat(64),
    testReport: digestValue(attempt.report),
    verdict: digestValue(attempt.verdict),
  };
}

/** The merge is made again: it is that of this base, this tip and this approved tree, or it is none. */
async function mergedFacts(
  record: Delegation,
  attempt: Verified,
  quarantine: Quarantine,
  ref: string,
  prepared: PreparedLanding,
): Promise<WhatLands> {
  const refuse = (why: string): never => {
    throw new SallyportError("approval-invalid", `the merge for ${prepared.ref} ${why}`, {
      next: "Land again: the merge is made, tested and, where that is needed, verified anew.",
    });
  };
  const { report, verdict } = prepared;
  if (prepared.attempt !== attempt.number || prepared.ref !== ref) refuse("is for something else");
  if (!report) return refuse("was not tested");
  const merge = await mergeForLanding(record, attempt.proposal.tree, prepared.onto, quarantine);
  const tree = await quarantine.treeOf(prepared.commit);
  if (merge.tree !== tree || merge.tree !== prepared.tree) refuse(`gives ${merge.tree}, recorded is ${prepared.tree}`);
  refuseOther(attempt.number, tree, prepared.tree, report);
  // Carried only where no path of the proposal changed on the target; else it is the verifier's word on this very diff.
  if (!prepared.verify && merge.overlap.length > 0) refuse(`needs a new verdict: ${merge.overlap[0]} changed there`);
  if (prepared.verify && verdict?.decision !== "approve") refuse("was not approved by the verifier");
  return {
    base: prepared.onto,
    tree,
    patch: merge.patch,
    testReport: digestValue(report),
    verdict: digestValue(verdict ?? attempt.verdict),
  };
}

/** What the approval that a delegation has now must say. */
export async function currentFacts(record: Delegation, quarantine: Quarantine): Promise<ApprovalFacts> {
  const { approval, prepared } = record;
  const ref = approval?.predicate.ref ?? record.ref;
  return approvalFacts(record, approval?.attempt ?? 0, quarantine, ref, prepared);
}

/** How long a new approval lasts, and which one it takes the place of. */
export interface Signing {
  /** Milliseconds. */
  lifetime?: number | undefined;
  /** The digest of the approval that it replaces. */
  replaces?: string;
  /** It ends at this time at the latest, whatever its lifetime. */
  until?: string | undefined;
}

/** Signs what the gate let pass. */
export function approve(
  facts: ApprovalFacts,
  key: HostKey,
  now: Date,
  { lifetime = approvalLifetime, replaces, until }: Signing = {},
): EventData<"delegation.approved"> {
  const end = Math.min(now.getTime() + lifetime, until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until));
  const predicate: ApprovalPredicate = {
    ...facts,
    ...(replaces ? { replaces } : {}),
    issued: now.toISOString(),
    expires: new Date(end).toISOString(),
  };
  const { envelope, digest } = signApproval(predicate, key);
  return { attempt: facts.attempt, approval: envelope, digest, predicate };
}

/**
 * When an approval that rests on a verdict ends at the latest: with the first one that the same verdict gave. Only a new
 * verifier's turn makes it younger, however often it is carried over.
 */
export function endOfVerdict(record: Delegation, verdict: string): string | undefined {
  return record.approvals?.find((step) => step.verdict === verdict)?.expires ?? record.approval?.predicate.expires;
}

export interface LandingPlan extends EventData<"landing.intended"> {
  tree: string;
  parent: string;
}

/**
 * Checks everything that must hold and makes the commit in quarantine; the target is not touched. One commit on the base
 * that the approval names: what lands is the diff that was tested and verified, and nothing of the quarantine's history.
 * The message, author and date come from brief and approval, so a replay gives the same commit id.
 */
export async function planLanding(
  record: Delegation,
  envelope: Envelope,
  target: Pick<LandingTarget, "ref" | "from" | "onto">,
  tools: { quarantine: Quarantine; key: HostPublicKey; now: Date },
): Promise<LandingPlan> {
  const { quarantine, key, now } = tools;
  const { ref, from, onto } = target;
  const attempt = record.approval?.attempt ?? 0;
  const facts = await approvalFacts(record, attempt, quarantine, ref, record.prepared);
  const predicate = checkApproval(envelope, key, facts, now);
  const digest = digestValue(envelope);
  if (record.approval?.digest !== digest) {
    throw new SallyportError("approval-invalid", `the approval is not the one that the ledger holds for ${record.id}`, {
      next: "Delegate again: nothing lands without an approval of exactly this.",
    });
  }
  if (onto !== predicate.base || (from !== null && from !== onto)) {
    throw new SallyportError(
      "target-moved",
      `${ref} is at ${(from ?? onto).slice(0, 12)}, the approval is for ${predicate.base.slice(0, 12)}`,
      { next: "Nothing was changed. Land again." },
    );
  }
  const commit = await quarantine.commitTree({
    tree: predicate.tree,
    parent: predicate.base,
    message: commitMessage(record, digest, predicate),
    author: { name: `Sallyport (${executorOf(record, attempt)})`, email: "sallyport@localhost" },
    date: new Date(predicate.issued),
  });
  return { attempt, approval: digest, ref, from, commit, tree: predicate.tree, parent: predicate.base };
}

/** Who executed the attempt that is landed: the brief may have named several, and a plan's whole is the host's merge. */
const executorOf = (record: Delegation, attempt: number) =>
  record.plan?.combines ? "plan" : record.attempts.find((a) => a.number === attempt)?.executor || record.executor;

/**
 * What a ref says about a landing: `at` its commit, `past` it (somebody built on it since), `before` it where the landing
 * began, or `elsewhere`.
 */
export async function landingState(
  plan: Pick<LandingPlan, "ref" | "from" | "commit">,
  tools: { repository: HostRepository; quarantine: Quarantine },
): Promise<"at" | "past" | "before" | "elsewhere"> {
  const at = await readRef(tools.repository, plan.ref);
  if (at === plan.commit) return "at";
  if (at === plan.from) return "before";
  if (at === null) return "elsewhere";
  // In the quarantine, which reads the host's objects: nothing of the host's configuration has a say.
  const ancestor = await runGit(["merge-base", "--is-ancestor", plan.commit, at], {
    gitDir: tools.quarantine.gitDir,
    accept: [0, 1, 128],
  });
  return ancestor.code === 0 ? "past" : "elsewhere";
}

const moved = (found: string) =>
  new SallyportError("target-moved", found, { next: "Nothing was changed. Land again." });

/** Carries out a planned landing whose intent is durable. Safe to repeat. */
export async function carryOutLanding(
  plan: LandingPlan,
  tools: { repository: HostRepository; quarantine: Quarantine },
): Promise<void> {
  const { repository, quarantine } = tools;
  // Read back before it is shown: what lands is what was verified.
  if ((await quarantine.treeOf(plan.commit)) !== plan.tree) {
    throw new SallyportError("git-failed", `commit ${plan.commit} does not have the approved tree ${plan.tree}`, {
      next: "Nothing was changed. Delegate again.",
    });
  }
  if ((await readRef(repository, plan.ref)) !== plan.commit) {
    await receivePack(repository, quarantine.packFor(plan.commit, plan.parent));
    // As late as can be: under a working tree that was opened meanwhile the branch is not moved.
    const opened = (await checkedOutBranches(repository)).find((one) => one.ref === plan.ref);
    if (opened) throw moved(`${plan.ref} was checked out in ${opened.worktree} while landing`);
    if (!(await swapRef(repository, plan.ref, plan.from, plan.commit))) {
      throw moved(`${plan.ref} moved while landing`);
    }
  }
  const shown = await landingState(plan, tools);
  if (shown !== "at" && shown !== "past") {
    throw new SallyportError("git-failed", `${plan.ref} does not show the landed commit ${plan.commit}`, {
      next: "Look at the repository: somebody moved the branch at the same moment.",
    });
  }
}
