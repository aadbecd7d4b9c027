/**
 * What delegations cost, by tier: planning, executing, testing, verifying. Whole micro-dollars and milliseconds, so that
 * every total is exactly the sum of its parts. Pure.
 */
import type { Delegation, SandboxRecord } from "../domain/delegation.ts";
import type { Role } from "../domain/identity.ts";
import type { MissionRecord } from "../domain/mission-record.ts";

export const tiers = ["plan", "execute", "test", "verify"] as const;
export type Tier = (typeof tiers)[number];

const tierOf: Record<Role, Tier> = {
  planner: "plan",
  executor: "execute",
  action: "execute",
  tester: "test",
  verifier: "verify",
};

export interface Amounts {
  /** Requests through the gateway; those to models are among them. */
  requests: number;
  /** Requests to models that were paid for, or kept as reserved. */
  modelRequests: number;
  tokens: number;
  /** Micro-dollars that were paid. */
  microusd: number;
  /** Micro-dollars at list price. */
  list: number;
  /** What subscriptions saved: `list` − `microusd`. */
  saved: number;
  /** Model requests whose worst case was kept, or which are still open: nobody knows what they used. */
  inexact: number;
  /** Time in sandboxes. */
  milliseconds: number;
}

/** One tier, and of that what went into attempts that were not approved. */
export interface TierCost extends Amounts {
  tier: Tier;
  rejected: Amounts;
}

export interface CostReport {
  tiers: TierCost[];
  total: Amounts & { rejected: Amounts };
}

/** What a delegation, or a mission's planner, used. */
export type Spender = Pick<Delegation, "spend" | "reservations" | "attempts" | "updated"> & {
  sandboxes: readonly Pick<SandboxRecord, "role" | "attempt" | "started" | "milliseconds" | "requests">[];
} & Partial<Pick<Delegation, "approval">>;

const nothing = (): Amounts => ({
  requests: 0,
  modelRequests: 0,
  tokens: 0,
  microusd: 0,
  list: 0,
  saved: 0,
  inexact: 0,
  milliseconds: 0,
});

const amountNames = Object.keys(nothing()) as (keyof Amounts)[];

function add(to: Amounts, part: Partial<Amounts>): void {
  for (const key of amountNames) to[key] += part[key] ?? 0;
}

/** What a mission's planner spent; its turns stand for attempts, and none of them is rejected. */
export function plannerSpender({ spend, reservations, updated, turns }: MissionRecord): Spender {
  const sandboxes = turns.map(({ number, started, milliseconds, requests, ended }) => ({
    role: "planner" as const,
    attempt: number,
    started,
    requests,
    // A turn that a crash cut before its sandbox ended is over all the same.
    ...(milliseconds === undefined && ended ? { milliseconds: 0 } : milliseconds === undefined ? {} : { milliseconds }),
  }));
  return { spend, reservations, updated, attempts: [], sandboxes };
}

/** The report of one or several delegations. Every tier is in it, in the order of `tiers`. */
export function costReport(spenders: Iterable<Spender>): CostReport {
  const rows = Object.fromEntries(tiers.map((tier) => [tier, { tier, ...nothing(), rejected: nothing() }])) as Record<
    Tier,
    TierCost
  >;
  const count = (role: Role, wasted: boolean, part: Partial<Amounts>) => {
    const row = rows[tierOf[role]];
    for (const amounts of wasted ? [row, row.rejected] : [row]) add(amounts as Amounts, part);
  };
  for (const spender of spenders) {
    const rejected = new Set(spender.attempts.filter((a) => isWasted(a, spender)).map((a) => a.number));
    for (const sandbox of spender.sandboxes) {
      const milliseconds =
        sandbox.milliseconds ?? Math.max(0, Date.parse(spender.updated) - Date.parse(sandbox.started));
      count(sandbox.role, rejected.has(sandbox.attempt), { requests: sandbox.requests, milliseconds });
    }
    for (const [role, spend] of Object.entries(spender.spend) as [Role, NonNullable<Spender["spend"][Role]>][]) {
      for (const [attempt, { requests, tokens, microusd, list, inexact }] of Object.entries(spend.attempts)) {
        const part = { modelRequests: requests, tokens, microusd, list, saved: list - microusd, inexact };
        count(role, rejected.has(Number(attempt)), part);
      }
    }
    for (const { role, attempt, tokens, microusd, list } of Object.values(spender.reservations)) {
      const part = { modelRequests: 1, tokens, microusd, list, saved: list - microusd, inexact: 1 };
      count(role, rejected.has(attempt), part);
    }
  }
  const total = { ...nothing(), rejected: nothing() };
  for (const row of Object.values(rows)) {
    add(total, row);
    add(total.rejected, row.rejected);
  }
  return { tiers: tiers.map((tier) => rows[tier]), total };
}

/** Whether an attempt has ended without an approval. */
function isWasted(attempt: Delegation["attempts"][number], { approval }: Pick<Spender, "approval">): boolean {
  return attempt.number !== approval?.attempt && (attempt.rejection !== undefined || attempt.failure !== undefined);
}
