/**
 * What an auditor is told: the pages of delegations and whether the log that they are read from is whole, out of the
 * files alone. The ledger is read once for one id, and twice for a span of time; what is kept is the pages' own, bounded.
 */
import { hash } from "node:crypto";
import { SallyportError } from "../../domain/error.ts";
import type { Entry } from "../../domain/event.ts";
import type { ChainStatus, DelegationPage } from "../../domain/page.ts";
import { pageCaps } from "../../domain/page-parts.ts";
import type { HostPublicKey } from "../../gate/keys.ts";
import { type VerifyOptions, type Walked, walkLedger } from "../../ledger/verify.ts";
import { openHostRepository } from "../../worktree/host-repository.ts";
import { openQuarantine, type Quarantine } from "../../worktree/quarantine.ts";
import type { PatchText } from "../page/attempts.ts";
import { foldDelegation, type PageFold } from "../page/delegation-page.ts";
import { patchText } from "../pages.ts";
import type { StateDirectory } from "../state-directory.ts";
import { version } from "../version.ts";
import { entryFilter } from "./filter.ts";
import { type AnchorsRead, reportVerification, type VerifyReport } from "./verified.ts";

/** Delegations that one report holds at most: the newest. */
export const reportMax = 200;

/** One id, or a span of time as the ledger writes times. */
export type ReportAsk = { id: string } | { since: string; until?: string };

export interface AuditReport {
  made: string;
  version: string;
  /** What was asked for, in words. */
  asked: string;
  /** Delegations that were found; `pages` holds the newest of them. */
  found: number;
  pages: DelegationPage[];
  /** Lines that are in the chain and do not make sense after those before them, by delegation. */
  faults: { id: string; seq: number; problem: string }[];
  verification: VerifyReport;
}

/** Where a report is made from. */
export interface ReportSource {
  state: StateDirectory;
  key: HostPublicKey;
  /** Whether the key is known from elsewhere, and not the one that lies beside the ledger. */
  keyKnown: boolean;
  options: VerifyOptions;
  anchors: AnchorsRead;
  /** Whether the text of patches is read from the quarantine. */
  patches: boolean;
  now: Date;
}

/** Makes the report. Throws `not-found` where nothing of what was asked is in the ledger. */
export async function makeReport(ask: ReportAsk, source: ReportSource): Promise<AuditReport> {
  const { state, key, options, anchors } = source;
  const folds = new Map<string, PageFold>();
  const faults: AuditReport["faults"] = [];
  const spoilt = new Set<string>();
  const add = (entry: Entry & { delegation: string }) => {
    if (spoilt.has(entry.delegation)) return;
    const fold = folds.get(entry.delegation) ?? foldDelegation(entry.delegation);
    folds.set(entry.delegation, fold);
    try {
      fold.add(entry);
    } catch (error) {
      // What was folded before it is shown; what comes after would stand on sand.
      spoilt.add(entry.delegation);
      faults.push({
        id: entry.delegation,
        seq: entry.seq,
        problem: error instanceof Error ? error.message : String(error),
      });
    }
  };
  const marked = { ...options, marks: anchors.marks };
  let walked: Walked;
  let found: number;
  if ("id" in ask) {
    const passes = entryFilter({ delegation: [ask.id] });
    walked = await walk(state.ledger, marked, (entry) => {
      if (passes(entry) && isDelegation(entry)) add(entry);
    });
    found = folds.size;
    newest(folds);
  } else {
    const ids = new Map<string, number>();
    walked = await walk(state.ledger, marked, (entry) => {
      if (!isDelegation(entry) || entry.time < ask.since) return;
      if (ask.until !== undefined && entry.time >= ask.until) return;
      // Deleted and set again, it stands where it was last heard of.
      ids.delete(entry.delegation);
      ids.set(entry.delegation, entry.seq);
    });
    found = ids.size;
    newest(ids);
    // Their lines from before the span belong to the answers. What was verified is read again, and checked again.
    const upTo = walked.verification.head.seq;
    if (ids.size > 0)
      await walk(state.ledger, { ...options, upTo }, (entry) => {
        if (isDelegation(entry) && ids.has(entry.delegation)) add(entry);
      });
  }
  const verification = reportVerification(state.ledger, walked, anchors, { ...key, known: source.keyKnown });
  const chain = chainOf(verification, source.now);
  const pages: DelegationPage[] = [];
  for (const [id, fold] of folds) {
    if (fold.record() === undefined) {
      if (!spoilt.has(id)) faults.push({ id, seq: 0, problem: "it has lines, and none that begins it" });
      continue;
    }
    pages.push(fold.page({ chain, key, patches: source.patches ? await patchesOf(fold, state) : new Map() }));
  }
  if ("id" in ask && pages.length + faults.length === 0 && verification.ok)
    throw new SallyportError("not-found", `nothing of ${ask.id} is in the ledger`, {
      next: "See `sallyport audit show --type 'delegation.accepted'`.",
    });
  return {
    made: source.now.toISOString(),
    version,
    asked: "id" in ask ? ask.id : `from ${ask.since}${ask.until === undefined ? "" : ` until ${ask.until}`}`,
    found,
    pages,
    faults,
    verification,
  };
}

const isDelegation = (entry: Entry): entry is Entry & { delegation: string } =>
  entry.delegation?.startsWith("d-") === true;

/** Leaves the last ones of a map. */
function newest(map: Map<string, unknown>): void {
  let over = map.size - reportMax;
  for (const id of map.keys()) if (over-- > 0) map.delete(id);
}

async function walk(directory: string, options: VerifyOptions, look: (entry: Entry) => void): Promise<Walked> {
  const steps = walkLedger(directory, options);
  for (;;) {
    const step = await steps.next();
    if (step.done) return step.value;
    for (const { entry } of step.value) look(entry);
  }
}

/** The chain as a page says it. */
function chainOf({ chain, failed, notProved }: VerifyReport, now: Date): ChainStatus {
  const at = chain.ok ? undefined : `${chain.file}:${chain.line}`;
  return {
    state: failed.length > 0 ? "broken" : chain.head.seq === 0 ? "unread" : "whole",
    upTo: chain.head.seq,
    hash: chain.head.hash,
    signedUpTo: chain.ok ? chain.signedUpTo : null,
    keyids: chain.ok ? chain.keyids : [],
    ...(failed[0] === undefined ? {} : { problem: chain.ok ? failed[0] : chain.problem }),
    ...(at === undefined ? {} : { at }),
    cannotProve: `It cannot tell ${notProved.join("; nor ")}.`,
    checked: now.toISOString(),
  };
}

/** The patches of a delegation's proposals, as far as the quarantine still has them. */
async function patchesOf(fold: PageFold, state: StateDirectory): Promise<Map<number, PatchText>> {
  const patches = new Map<number, PatchText>();
  const record = fold.record();
  if (!record) return patches;
  let opened: Promise<Quarantine> | undefined;
  for (const { number, proposal } of record.attempts.slice(0, pageCaps.attempts)) {
    if (!proposal) continue;
    const text = await patchText(async () => {
      opened ??= openHostRepository(record.repository).then((repository) =>
        openQuarantine({ directory: state.quarantine, repository }),
      );
      const quarantine = await opened;
      const made = await quarantine.patch(
        await quarantine.treeOf(record.base),
        proposal.tree,
        record.policy.budget.patch,
      );
      if (!made.ok) throw new Error("the patch cannot be made again: it is longer than its policy allows");
      if (hash("sha256", made.patch, "hex") !== proposal.patch)
        throw new Error("what the quarantine makes now is not the patch that the ledger names");
      return made.patch;
    });
    patches.set(number, text);
  }
  return patches;
}
