/** Landing: what was tested, verified and signed goes onto the target by compare-and-swap, or nothing does. */
import type { ApprovalPredicate, Envelope } from "../domain/approval.ts";
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { EventData } from "../domain/event.ts";
import { runGit } from "../worktree/git.ts";
import { checkedOutRefs, type HostRepository, readRef, receivePack, swapRef } from "../worktree/host-repository.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import { digestBytes, digestValue } from "./digest.ts";
import type { HostKey, HostPublicKey } from "./keys.ts";
import { judgesOf } from "./panel.ts";
import { checkApproval, signApproval } from "./sign-off.ts";

/** How long an approval may be used after it was signed, in milliseconds. */
export const approvalLifetime = 7 * 24 * 3_600_000;

export type ApprovalFacts = Omit<ApprovalPredicate, "issued" | "expires" | "replaces">;

/**
 * What the approval must say, computed again from the quarantine and the ledger's record: nothing is taken from the
 * approval itself.
 */
export async function approvalFacts(
  record: Delegation,
  attemptNumber: number,
  quarantine: Quarantine,
  ref: string,
): Promise<ApprovalFacts> {
  const attempt = record.attempts.find((a) => a.number === attemptNumber);
  if (!attempt?.proposal || !attempt.report || !attempt.verdict) {
    throw new SallyportError("approval-missing", `attempt ${attemptNumber} of ${record.id} has no verified proposal`, {
      next: "Delegate again.",
    });
  }
  const tree = await quarantine.treeOf(attempt.proposal.commit);
  // Only what was tested can land: the report names the tree that it is about.
  const tested = attempt.report.tested ? attempt.report.proposal?.tree : tree;
  if (tree !== attempt.proposal.tree || tree !== tested) {
    throw new SallyportError(
      "approval-invalid",
      `the tree of attempt ${attemptNumber} is ${tree}, collected was ${attempt.proposal.tree}, tested ${tested}`,
      { next: "Delegate again." },
    );
  }
  if (attempt.rejection || attempt.failure || attempt.verdict.decision !== "approve") {
    throw new SallyportError(
      "approval-missing",
      `attempt ${attemptNumber} of ${record.id} was not approved by its verifier`,
      { next: "Delegate again." },
    );
  }
  const patch = await quarantine.patch(await quarantine.treeOf(record.base), tree, record.policy.budget.patch);
  return {
    repository: record.repository,
    ref,
    delegation: record.id,
    attempt: attemptNumber,
    base: record.base,
    tree,
    brief: digestValue(record.brief),
    patch: patch.ok ? digestBytes(patch.patch) : "0".repeat(64),
    testReport: digestValue(attempt.report),
    verdict: digestValue(attempt.verdict),
    policy: digestValue(record.policy),
    images: record.images,
    ...(record.plan?.combines ? { members: record.plan.combines.map((part) => part.approval) } : {}),
    verifier: { harness: judgesOf(record)[0]?.harness ?? "", image: record.images.verifier },
    ...(attempt.panel
      ? {
          panel: attempt.panel.map(({ harness, image, verdict }) => ({
            harness,
            image,
            decision: verdict.decision,
            verdict: digestValue(verdict),
          })),
        }
      : {}),
  };
}

/**
 * Signs what the gate let pass. `carried` is the approval that this one takes over to another target: it is named, and
 * what comes of it ends when it would have ended.
 */
export function approve(
  facts: ApprovalFacts,
  key: HostKey,
  now: Date,
  carried?: { digest: string; expires: string },
): EventData<"delegation.approved"> {
  const predicate: ApprovalPredicate = {
    ...facts,
    ...(carried ? { replaces: carried.digest } : {}),
    issued: now.toISOString(),
    expires: carried?.expires ?? new Date(now.getTime() + approvalLifetime).toISOString(),
  };
  const { envelope, digest } = signApproval(predicate, key);
  return { attempt: facts.attempt, approval: envelope, digest, predicate };
}

export interface LandingPlan extends EventData<"landing.intended"> {
  tree: string;
  parent: string;
}

/**
 * Checks everything that must hold and makes the commit in quarantine; the target is not touched. The message, author
 * and date come from brief and approval, so a replay gives the same commit id.
 */
export async function planLanding(
  record: Delegation,
  envelope: Envelope,
  ref: string,
  tools: { repository: HostRepository; quarantine: Quarantine; key: HostPublicKey; now: Date },
): Promise<LandingPlan> {
  const { repository, quarantine, key, now } = tools;
  const attempt = record.approval?.attempt ?? 0;
  const facts = await approvalFacts(record, attempt, quarantine, ref);
  const predicate = checkApproval(envelope, key, facts, now);
  const digest = digestValue(envelope);
  if (record.approval?.digest !== digest) {
    throw new SallyportError("approval-invalid", `the approval is not the one that the ledger holds for ${record.id}`, {
      next: "Delegate again: nothing lands without an approval of exactly this.",
    });
  }
  const from = await readRef(repository, ref);
  if (from !== null && from !== record.base) {
    throw new SallyportError(
      "target-moved",
      `${ref} is at ${from.slice(0, 12)}, the approval is for ${record.base.slice(0, 12)}`,
      {
        next: `Nothing was changed. Delegate again with --base ${ref}, or land onto a branch that is at ${record.base.slice(0, 12)} or does not exist yet.`,
      },
    );
  }
  if ((await checkedOutRefs(repository)).includes(ref)) {
    throw new SallyportError("target-checked-out", `${ref} is checked out in ${repository.path}`, {
      next: "Nothing was changed. Land onto another branch and merge it there, so that nobody's working files are touched.",
    });
  }
  const commit = await quarantine.commitTree({
    tree: predicate.tree,
    parent: record.base,
    message: commitMessage(record, attempt, digest, predicate),
    author: { name: `Sallyport (${executorOf(record, attempt)})`, email: "sallyport@localhost" },
    date: new Date(predicate.issued),
  });
  return { attempt, approval: digest, ref, from, commit, tree: predicate.tree, parent: record.base };
}

/** Who executed the attempt that is landed: the brief may have named several, and a plan's whole is the host's merge. */
const executorOf = (record: Delegation, attempt: number) =>
  record.plan?.combines ? "plan" : record.attempts.find((a) => a.number === attempt)?.executor || record.executor;

function commitMessage(record: Delegation, attempt: number, digest: string, predicate: ApprovalPredicate): string {
  return [
    record.brief.title,
    "",
    record.brief.intent.replace(/\r/g, ""),
    "",
    `Sallyport-Delegation: ${record.id} attempt ${attempt}`,
    `Sallyport-Approval: sha256:${digest}`,
    `Sallyport-Verifier: ${predicate.verifier.harness} ${predicate.verifier.image}`,
    "",
  ].join("\n");
}

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
    if (!(await swapRef(repository, plan.ref, plan.from, plan.commit))) {
      throw new SallyportError("target-moved", `${plan.ref} moved while landing`, {
        next: "Nothing was changed. Delegate again on its new commit.",
      });
    }
  }
  const shown = await landingState(plan, tools);
  if (shown !== "at" && shown !== "past") {
    throw new SallyportError("git-failed", `${plan.ref} does not show the landed commit ${plan.commit}`, {
      next: "Look at the repository: somebody moved the branch at the same moment.",
    });
  }
}
