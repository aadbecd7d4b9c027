/** The attempts of a delegation as a page shows them side by side. Pure. */
import type { Attempt, Delegation } from "../../domain/delegation.ts";
import { type AttemptPage, pageCaps, type SandboxPage, type VerdictPage } from "../../domain/page-parts.ts";
import type { Finding } from "../../domain/rejection.ts";
import { judgesOf } from "../../gate/panel.ts";
import { testsOf } from "./tests.ts";
import { cappedTo, line, shown } from "./text.ts";
import { verdictOf } from "./verdict.ts";

/** A patch's text, or why there is none. */
export type PatchText = { text: string; cut: boolean } | { missing: string };

/** What the lines say of an attempt that the record does not keep. */
export interface AttemptNotes {
  started?: string;
  image?: string;
  reasons: string[];
}

const outcomes: Partial<Record<Delegation["state"], AttemptPage["outcome"]>> = {
  stuck: "stuck",
  "over-budget": "over-budget",
  discarded: "stopped",
  failed: "failed",
  rejected: "rejected",
  "rejected-hard": "rejected-hard",
};

function outcomeOf(attempt: Attempt, record: Delegation): AttemptPage["outcome"] {
  if (record.approval?.attempt === attempt.number) return "approved";
  if (attempt.failure) return "failed";
  if (attempt.rejection) return attempt.rejection.hard ? "rejected-hard" : "rejected";
  return attempt === record.attempts.at(-1) ? (outcomes[record.state] ?? "running") : "stopped";
}

const findings = (items: readonly Finding[] = []) =>
  cappedTo(
    items.slice(0, pageCaps.findings).map((one) => ({
      ...one,
      message: shown(one.message, 3999),
      ...(one.path === undefined ? {} : { path: line(one.path, 4000) }),
      ...(one.place === undefined ? {} : { place: line(one.place, 199) }),
      ...(one.criterion === undefined ? {} : { criterion: line(one.criterion, 32) }),
      ...(one.test === undefined ? {} : { test: line(one.test, 999) }),
      ...(one.check === undefined ? {} : { check: line(one.check, 99) }),
    })),
    pageCaps.findings,
    items.length,
  );

function verdictsOf(attempt: Attempt, record: Delegation): VerdictPage[] {
  const { accept } = record.brief;
  const members = (attempt.panel ?? []).map(({ harness, verdict, digest }) =>
    verdictOf({ by: harness, member: true, digest }, verdict, accept),
  );
  if (!attempt.verdict) return members;
  const by = attempt.panel ? "panel" : (judgesOf(record)[0]?.harness ?? "verifier");
  return [verdictOf({ by, member: false, digest: attempt.verdictDigest }, attempt.verdict, accept), ...members];
}

function proposalOf({ proposal }: Attempt, patch: PatchText | undefined): AttemptPage["proposal"] {
  if (!proposal) return undefined;
  const { commit, tree, changes, ignored } = proposal;
  return {
    commit,
    tree,
    patch: { digest: proposal.patch, bytes: proposal.patchBytes, ...patch },
    changes: cappedTo(
      changes.slice(0, pageCaps.paths).map(({ path, kind }) => ({ path: line(path, 4000), kind })),
      pageCaps.paths,
      changes.length,
    ),
    ignored,
  };
}

/** One attempt, with its sandboxes, and its patch's text where there is one. */
export function attemptOf(
  attempt: Attempt,
  record: Delegation,
  notes: AttemptNotes | undefined,
  sandboxes: readonly SandboxPage[],
  patch: PatchText | undefined,
): AttemptPage {
  const { number, executor, model, end, report, reportDigest, rejection, failure } = attempt;
  const proposal = proposalOf(attempt, patch);
  const image = notes?.image ?? record.images.executor;
  return {
    number,
    executor,
    ...(model === undefined ? {} : { model: line(model, 128) }),
    ...(image === undefined ? {} : { image }),
    reasons: (notes?.reasons ?? []).map((reason) => line(reason, 500)),
    started: notes?.started ?? record.accepted,
    outcome: outcomeOf(attempt, record),
    ...(rejection ? { by: rejection.by } : {}),
    ...(end === undefined ? {} : { end }),
    findings: findings(rejection?.findings),
    notes: findings(rejection?.notes),
    ...(failure ? { failure: { code: failure.code, message: shown(failure.message) } } : {}),
    ...(proposal ? { proposal } : {}),
    ...(report ? { tests: testsOf(report, reportDigest) } : {}),
    verdicts: verdictsOf(attempt, record),
    sandboxes: cappedTo(sandboxes, pageCaps.sandboxes),
  };
}
