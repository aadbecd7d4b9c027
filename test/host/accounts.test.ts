import { expect, test } from "vitest";
import { hostConfig } from "../../src/domain/config.ts";
import type { Delegation } from "../../src/domain/delegation.ts";
import { accountsFor, planAccount } from "../../src/host/accounts.ts";

const record = {
  id: "d-1",
  executor: "pi",
  policy: { budget: { tokens: 5, usd: 7 }, verifier: { harness: "skeptic" } },
  brief: { executor: "pi" },
} as unknown as Delegation;
const store = {
  record(id: string): Delegation {
    if (id !== record.id) throw new Error("there is none");
    return record;
  },
};
const now = new Date("2026-03-01T23:59:59Z");

test("a role counts on its delegation, an executor on its day too, and nobody's turn on nothing of theirs", () => {
  const config = hostConfig.parse({ version: 1, budgets: { executorDay: { pi: { usd: 0.5, tokens: "1k" } } } });
  const accounts = accountsFor(config, store);
  const own = { id: "delegation:d-1", rule: "budget", tokens: 5, usd: 7 };
  expect(accounts({ role: "verifier", delegation: "d-1" }, now)).toMatchObject([own]);
  expect(accounts({ role: "executor", delegation: "d-1" }, now)).toMatchObject([
    own,
    { id: "executor-day:pi:2026-03-01", rule: "budgets.executorDay.pi", tokens: 1000, usd: 500_000 },
  ]);
  expect(accounts({ role: "planner", delegation: "run-1" }, now)).toEqual([]);
  expect(
    accountsFor(hostConfig.parse({ version: 1 }), store)({ role: "executor", delegation: "d-1" }, now),
  ).toHaveLength(1);
});

test("a delegation of a plan counts on the plan's budget too, where it caps tokens or money", () => {
  const capped = { usd: 2_000_000 };
  const plans: Record<string, object> = {
    "p-1": { plan: { budget: capped } },
    "p-2": { plan: { budget: { wall: 5 } } },
  };
  const of = (plan: string | undefined) => {
    const member = { ...record, ...(plan ? { plan: { id: plan, root: "x" } } : {}) } as unknown as Delegation;
    const found = { record: () => member, plan: (id: string) => plans[id] } as unknown as Parameters<
      typeof planAccount
    >[0];
    return accountsFor(
      hostConfig.parse({ version: 1 }),
      found,
      planAccount(found),
    )({ role: "verifier", delegation: "d-1" }, now);
  };
  expect(of("p-1").map(({ id, usd }) => [id, usd])).toEqual([
    ["delegation:d-1", 7],
    ["plan:p-1", 2_000_000],
  ]);
  expect(of("p-2").map(({ id }) => id)).toEqual(["delegation:d-1"]);
  expect(of(undefined).map(({ id }) => id)).toEqual(["delegation:d-1"]);
});

test("a verifier counts on its own account too, where the policy caps what judging may cost", () => {
  const verifier = { harness: "skeptic", tokens: 3, usd: 4 };
  const capped = { ...record, policy: { ...record.policy, verifier } } as unknown as Delegation;
  const accounts = accountsFor(hostConfig.parse({ version: 1 }), { record: () => capped });
  const own = { id: "verifier:d-1", rule: "verifier", tokens: 3, usd: 4 };
  expect(accounts({ role: "verifier", delegation: "d-1" }, now)).toMatchObject([{ id: "delegation:d-1" }, own]);
  expect(accounts({ role: "executor", delegation: "d-1" }, now)).toHaveLength(1);
});
