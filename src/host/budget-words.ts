/** What a sandbox is told about its budgets: each refusal says which cap, what is left of it, and what to do. */
import type { BudgetAccount } from "../domain/budget.ts";
import type { Role } from "../domain/identity.ts";
import type { ModelRoute } from "../domain/policy.ts";
import { showMoney } from "../domain/units.ts";
import type { ReserveAsk, Reserved } from "../gateway/model-reserve.ts";

/** The account that has least left, and the output that is within it. */
export interface OverBudget {
  output: number;
  account?: BudgetAccount;
  unit?: "tokens" | "usd";
  left?: number;
  cap?: number;
}

type Refused = Reserved & { ok: false };

/** At a cap. */
export function over({ account, unit = "tokens", left = 0, cap = 0 }: OverBudget, role: Role): Refused {
  const show = (amount: number) => (unit === "usd" ? showMoney(amount) : `${amount} tokens`);
  const name = unit === "usd" ? "money" : "tokens";
  return {
    ok: false,
    status: 402,
    code: unit === "usd" ? "money-used-up" : "tokens-used-up",
    rule: `${account?.rule ?? "budget"}.${unit}`,
    why: `${name}: of the ${show(cap)} of ${account?.whose ?? "this work"} ${show(left)} are left, and this request could need more`,
    next: `${report(role)} This sandbox ends in a moment.`,
  };
}

/** Others may still give back what they reserved. */
export function busy(): Refused {
  return {
    ok: false,
    status: 429,
    code: "budget-busy",
    rule: "budget",
    why: "what is left of the budget is reserved by requests that are under way",
    next: "Wait for their answers.",
    retryAfter: 5,
  };
}

export function unpriced(ask: ReserveAsk, route: ModelRoute): Refused {
  return {
    ok: false,
    status: 403,
    code: "model-unpriced",
    rule: `models.${ask.route}.prices`,
    why: `the model ${ask.model} has no price, and the budget is money`,
    next: `Ask for another model, or let the operator add it to the price table ${route.prices ?? "(none is named)"}.`,
  };
}

export function quotaUsedUp(ask: ReserveAsk, retryAfter: number): Refused {
  return {
    ok: false,
    status: 429,
    code: "quota-used-up",
    rule: `models.${ask.route}.quota`,
    why: "the subscription's requests of this window are used up",
    next: `Wait ${retryAfter} seconds.`,
    retryAfter,
  };
}

export function noRoute(route: string): Refused {
  return {
    ok: false,
    status: 403,
    code: "model-unknown",
    rule: "models",
    why: `this sandbox has no model route ${route.slice(0, 64)}`,
    next: "Use one of its own.",
  };
}

/** Whoever is being ended is answered nothing more, however long its end takes. */
export function ending(): Refused {
  return {
    ok: false,
    status: 403,
    code: "sandbox-ending",
    rule: "sandbox",
    why: "this sandbox is being ended",
    next: "Nothing more is to be done here.",
  };
}

/** What a harness is told when so much of its budget is spent or bound. */
export function steering(role: Role, share: number): string {
  return `Note from the host: ${share} % of this work's model budget is spent. ${report(role)} At 100 % every further request is refused and the sandbox ends.`;
}

function report(role: Role): string {
  if (role === "verifier") return "Give your verdict now, with what you have.";
  if (role === "executor")
    return "Finish the change you are on, and report with POST /report/propose or POST /report/stuck.";
  return "Finish with what you have.";
}
