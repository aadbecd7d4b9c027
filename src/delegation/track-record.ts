/**
 * Track records: how each executor has done, folded from what the ledger says of every delegation. Nothing of it is kept
 * apart. Pure. docs/executors.md says what each figure means.
 */
import type { Attempt, Delegation } from "../domain/delegation.ts";
import type { Finding } from "../domain/rejection.ts";
import { type Rate, wilson } from "./wilson.ts";
import { kindOfWork, type WorkKind } from "./work-kind.ts";

/** What one executor did in one delegation. */
export interface Share {
  delegation: string;
  executor: string;
  /** As it was asked for; empty where no model was. */
  model: string;
  kind: WorkKind;
  /** Whether the first attempt was approved; undefined where another executor had it, or where it came to no outcome. */
  first: boolean | undefined;
  /** Attempts after a rejection of its own, and how many of them were approved. */
  retries: { count: number; approved: number };
  approved: boolean;
  stuck: boolean;
  overBudget: boolean;
  rejections: Record<RejectionClass, number>;
  /** Attempts that touched a protected path. */
  protectedPaths: number;
  denials: number;
  tokens: number;
  /** Micro-dollars, of every role in its attempts: what was paid, and what it is at list price. */
  microusd: number;
  list: number;
  /** Milliseconds of all sandboxes in its attempts. */
  milliseconds: number;
}

/** Whose word a rejection was: the host's rules, the tests and checks it ran, or the verifier. */
export type RejectionClass = "host" | "tests" | "verifier";

/** One row: an executor with a model at a kind of work. */
export interface TrackRecord {
  executor: string;
  model: string;
  kind: WorkKind;
  delegations: number;
  firstTry: Rate;
  retry: Rate;
  approved: Rate;
  stuck: Rate;
  overBudget: Rate;
  rejections: Record<RejectionClass, number>;
  protectedPaths: number;
  denials: number;
  tokens: number;
  microusd: number;
  list: number;
  /** Micro-dollars for each approved change, with all that its rejected attempts cost; undefined where none was. */
  costPerApproved: number | undefined;
  listPerApproved: number | undefined;
  /** Micro-dollars at list price of one delegation, approved or not. */
  listPerDelegation: number;
  /** Milliseconds: half of its delegations took no longer in their sandboxes. */
  medianMilliseconds: number | undefined;
}

/** The kind `all` is every kind together. */
export const everyKind = "all";

const testReasons: ReadonlySet<Finding["reason"]> = new Set([
  "tests-failed",
  "tests-forged",
  "test-disappeared",
  "test-newly-skipped",
  "check-failed",
]);

/** Whose word a rejection was. */
export function rejectionClass({ by, findings }: NonNullable<Attempt["rejection"]>): RejectionClass {
  if (by === "verifier") return "verifier";
  return findings.some(({ reason }) => testReasons.has(reason)) ? "tests" : "host";
}

/**
 * What each executor did in a delegation: one share for each that had an attempt. A delegation that still runs has none,
 * nor has the combined whole of a plan, which nobody executes. What failed by the host's fault counts for nobody.
 */
export function sharesOf(record: Delegation): Share[] {
  const outcome = outcomeOf(record);
  if (outcome === undefined || record.plan?.combines) return [];
  const names = new Set(record.attempts.map((attempt) => attempt.executor).filter((name) => name !== ""));
  return [...names].flatMap((executor) => {
    const own = record.attempts.filter((attempt) => attempt.executor === executor);
    const share = shareOf(record, executor, own, outcome);
    return share ? [share] : [];
  });
}

type Outcome = "approved" | "stuck" | "over-budget" | "rejected";

/** How a delegation ended for its last executor; undefined where it has not, or where nobody can be told by it. */
function outcomeOf(record: Delegation): Outcome | undefined {
  // What was approved stays so, whatever the planner then did with it.
  if (record.approval) return "approved";
  if (record.state === "stuck" || record.state === "over-budget") return record.state;
  if (record.state === "rejected" || record.state === "rejected-hard") return "rejected";
  return undefined;
}

function shareOf(record: Delegation, executor: string, own: readonly Attempt[], ended: Outcome): Share | undefined {
  const counted = own.filter((attempt) => attempt.failure === undefined);
  if (counted.length === 0) return undefined;
  const last = record.attempts.at(-1);
  const approvedAt = record.approval?.attempt;
  const isApproved = (attempt: Attempt) => attempt.number === approvedAt;
  const firstTry = counted.find((attempt) => attempt.number === 1);
  const retries = counted.filter((attempt) => {
    const before = record.attempts.filter((one) => one.number < attempt.number && one.rejection).at(-1);
    return before?.executor === executor;
  });
  const rejections: Share["rejections"] = { host: 0, tests: 0, verifier: 0 };
  for (const { rejection } of counted) if (rejection) rejections[rejectionClass(rejection)] += 1;
  const numbers = new Set(own.map((attempt) => attempt.number));
  const sandboxes = record.sandboxes.filter((sandbox) => numbers.has(sandbox.attempt));
  const paths = (counted.findLast((attempt) => attempt.proposal)?.proposal?.changes ?? []).map(({ path }) => path);
  return {
    delegation: record.id,
    executor,
    model: own.find((attempt) => attempt.model !== undefined)?.model ?? "",
    kind: kindOfWork(paths.length > 0 ? paths : (record.brief.writable ?? record.policy.filesystem.writable)),
    first: firstTry ? isApproved(firstTry) : undefined,
    retries: { count: retries.length, approved: retries.filter(isApproved).length },
    approved: counted.some(isApproved),
    stuck: ended === "stuck" && last?.executor === executor,
    overBudget: ended === "over-budget" && last?.executor === executor,
    rejections,
    protectedPaths: counted.filter((a) => a.rejection?.findings.some((f) => f.reason === "protected")).length,
    denials: sandboxes.filter((s) => s.role === "executor").reduce((sum, s) => sum + s.denied, 0),
    ...spendOf(record, numbers),
    milliseconds: sandboxes.reduce((sum, s) => sum + (s.milliseconds ?? 0), 0),
  };
}

/** What models cost in these attempts, of every role; a reservation that is not settled counts as spent. */
function spendOf(record: Delegation, attempts: ReadonlySet<number>): Pick<Share, "tokens" | "microusd" | "list"> {
  const sum = { tokens: 0, microusd: 0, list: 0 };
  const settled = Object.values(record.spend).flatMap((spend) =>
    Object.entries(spend.attempts).flatMap(([number, totals]) => (attempts.has(Number(number)) ? [totals] : [])),
  );
  const open = Object.values(record.reservations).filter(({ attempt }) => attempts.has(attempt));
  for (const { tokens, microusd, list } of [...settled, ...open]) {
    sum.tokens += tokens;
    sum.microusd += microusd;
    sum.list += list;
  }
  return sum;
}

/** Shares as one row. */
export function recordOf(
  shares: readonly Share[],
  name: Pick<TrackRecord, "executor" | "model" | "kind">,
): TrackRecord {
  const count = (holds: (share: Share) => boolean) => shares.filter(holds).length;
  const sum = (amount: (share: Share) => number) => shares.reduce((total, share) => total + amount(share), 0);
  const tried = shares.filter((share) => share.first !== undefined);
  const approved = count((share) => share.approved);
  const [microusd, list] = [sum((s) => s.microusd), sum((s) => s.list)];
  // Rounded up, so that no figure is nicer than the truth.
  const per = (amount: number, of: number) => (of === 0 ? undefined : Math.ceil(amount / of));
  return {
    ...name,
    delegations: shares.length,
    firstTry: wilson(tried.filter((share) => share.first).length, tried.length),
    retry: wilson(
      sum((s) => s.retries.approved),
      sum((s) => s.retries.count),
    ),
    approved: wilson(approved, shares.length),
    stuck: wilson(
      count((s) => s.stuck),
      shares.length,
    ),
    overBudget: wilson(
      count((s) => s.overBudget),
      shares.length,
    ),
    rejections: {
      host: sum((s) => s.rejections.host),
      tests: sum((s) => s.rejections.tests),
      verifier: sum((s) => s.rejections.verifier),
    },
    protectedPaths: sum((s) => s.protectedPaths),
    denials: sum((s) => s.denials),
    tokens: sum((s) => s.tokens),
    microusd,
    list,
    costPerApproved: per(microusd, approved),
    listPerApproved: per(list, approved),
    listPerDelegation: per(list, shares.length) ?? 0,
    medianMilliseconds: median(shares.map((share) => share.milliseconds)),
  };
}

/** All rows of the delegations that were accepted at or after `since`: by executor, model and kind, in that order. */
export function trackRecords(delegations: Iterable<Delegation>, since?: Date): TrackRecord[] {
  const rows = new Map<string, { name: Pick<TrackRecord, "executor" | "model" | "kind">; shares: Share[] }>();
  for (const record of delegations) {
    if (since && Date.parse(record.accepted) < since.getTime()) continue;
    for (const share of sharesOf(record)) {
      const { executor, model, kind } = share;
      const key = JSON.stringify([executor, model, kind]);
      const row = rows.get(key) ?? { name: { executor, model, kind }, shares: [] };
      row.shares.push(share);
      rows.set(key, row);
    }
  }
  return [...rows.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { name, shares }]) => recordOf(shares, name));
}

function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return low === undefined || high === undefined ? undefined : Math.round((low + high) / 2);
}
