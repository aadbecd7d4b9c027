import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BudgetAccount } from "../../src/domain/budget.ts";
import type { Event } from "../../src/domain/event.ts";
import type { ModelRoute } from "../../src/domain/policy.ts";
import { type Budgets, openBudgets } from "../../src/host/budgets.ts";

const table: NonNullable<ModelRoute["table"]> = {
  version: 1,
  date: "2026-01-01",
  models: [{ model: "m", input: 1_000_000, output: 2_000_000 }],
};
const route: ModelRoute = { base: "https://a.org", protocol: "openai-chat", table };
const sandboxOf = (number: number) => `s-${"a".repeat(15)}${String.fromCharCode(97 + number)}`;
const usage = (input: number, output: number) => ({ input, cached: 0, cacheWrite: 0, output });

function rig(options: { grace?: number; patience?: number; append?: (event: Event) => Promise<unknown> } = {}) {
  const events: Event[] = [];
  const ended: string[] = [];
  const clock = { now: new Date("2026-03-01T12:00:00Z") };
  const budgets = openBudgets({
    append: options.append ?? (async (event) => events.push(event)),
    note: (event) => void events.push(event),
    now: () => clock.now,
    onOver: (sandbox) => void ended.push(sandbox),
    grace: options.grace ?? 30,
    patience: options.patience ?? 0,
  });
  const open = (number: number, accounts: BudgetAccount[] | ((now: Date) => BudgetAccount[]), models = { m: route }) =>
    budgets.open({
      sandbox: sandboxOf(number),
      delegation: undefined,
      role: "executor",
      attempt: 1,
      models,
      accounts: typeof accounts === "function" ? accounts : () => accounts,
    });
  return { budgets, events, ended, clock, open };
}
const account = (caps: Partial<BudgetAccount>): BudgetAccount => ({
  id: "delegation:d",
  whose: "this delegation",
  rule: "budget",
  ...caps,
});
const ask = (input: number, output?: number) => ({
  route: "m",
  model: "m",
  input,
  ...(output === undefined ? {} : { output }),
});
const reserve = (budgets: Budgets, number: number, input: number, output?: number) =>
  budgets.reserve({ sandbox: sandboxOf(number), ask: ask(input, output) });
const answered = (budgets: Budgets, number: number, reservation: string, input: number, output: number) =>
  budgets.settle({ sandbox: sandboxOf(number), report: { reservation, how: "answered", usage: usage(input, output) } });
const granted = async (budgets: Budgets, number: number, input: number, output?: number) => {
  const word = await reserve(budgets, number, input, output);
  if (!word.ok) throw new Error(word.why);
  return word;
};

describe("a cap", () => {
  test("is met to the token: what fits is taken, one more is not", async () => {
    const { budgets, open } = rig();
    open(0, [account({ tokens: 3000 })]);
    await granted(budgets, 0, 1000, 1000);
    expect(await reserve(budgets, 0, 1, 1000)).toMatchObject({ ok: false, code: "budget-busy", status: 429 });
    expect(await reserve(budgets, 0, 0, 1000)).toMatchObject({ ok: true, output: 1000 });
  });

  test("of money is met to the micro-dollar", async () => {
    const { budgets, open } = rig();
    open(0, [account({ usd: 5000 })]);
    const word = await granted(budgets, 0, 1000, 2000);
    answered(budgets, 0, word.reservation, 1000, 1999);
    // 2 micro-dollars are left: one token of output, or two of input.
    expect(await reserve(budgets, 0, 3, 0)).toMatchObject({ ok: false, code: "money-used-up", rule: "budget.usd" });
    expect(await reserve(budgets, 0, 2, 0)).toMatchObject({ ok: true });
  });

  test("lowers the output of the last request rather than refusing it, down to a least", async () => {
    const { budgets, open } = rig();
    open(0, [account({ tokens: 10_000 })]);
    const word = await granted(budgets, 0, 4000, 30_000);
    expect(word.output).toBe(6000);
    answered(budgets, 0, word.reservation, 4000, 4500);
    expect(await reserve(budgets, 0, 600, 30_000)).toMatchObject({ ok: false, code: "tokens-used-up" });
    expect(await reserve(budgets, 0, 400, 30_000)).toMatchObject({ ok: true, output: 1100 });
  });

  test("of several is the least of them, and the refusal names whose it is", async () => {
    const { budgets, open } = rig();
    const day = {
      id: "executor-day:pi:2026-03-01",
      whose: "the executor pi today",
      rule: "budgets.executorDay.pi",
      tokens: 50,
    };
    open(0, [account({ tokens: 5000 }), day]);
    expect(await reserve(budgets, 0, 100, 10)).toMatchObject({
      ok: false,
      rule: "budgets.executorDay.pi.tokens",
      why: expect.stringContaining("the executor pi today"),
    });
  });

  test("of a day counts over delegations, and is new at midnight", async () => {
    const { budgets, open, clock } = rig();
    const day = (now: Date): BudgetAccount[] => [
      { id: `executor-day:pi:${now.toISOString().slice(0, 10)}`, whose: "x", rule: "r", tokens: 1500 },
    ];
    open(0, day);
    open(1, day);
    const word = await granted(budgets, 0, 1000, 100);
    answered(budgets, 0, word.reservation, 1000, 100);
    expect(await reserve(budgets, 1, 1000, 100)).toMatchObject({ ok: false, code: "tokens-used-up" });
    clock.now = new Date("2026-03-02T00:00:01Z");
    expect(await reserve(budgets, 1, 1000, 100)).toMatchObject({ ok: true });
  });
});

describe("requests at once", () => {
  test("one that does not fit beside others waits for them, and goes when they have used less", async () => {
    const { budgets, open, ended } = rig({ patience: 10_000 });
    open(0, [account({ tokens: 4000 })]);
    const first = await granted(budgets, 0, 1000, 2000);
    let second: unknown;
    const waiting = reserve(budgets, 0, 1000, 2000).then((word) => {
      second = word;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(second).toBeUndefined();
    answered(budgets, 0, first.reservation, 800, 100);
    await waiting;
    expect(second).toMatchObject({ ok: true, output: 2000 });
    expect(ended).toEqual([]);
  });

  test("a lane that ends lets go of those that wait", async () => {
    const { budgets, open } = rig({ patience: 60_000 });
    open(0, [account({ tokens: 3000 })]);
    await granted(budgets, 0, 1000, 2000);
    const waiting = reserve(budgets, 0, 1000, 1000);
    await new Promise((resolve) => setTimeout(resolve, 10));
    budgets.close(sandboxOf(0));
    expect(await waiting).toMatchObject({ ok: false });
  });

  test("a sandbox that is being ended is granted nothing more, waiting or new, and its open request is settled", async () => {
    const { budgets, open, events } = rig({ patience: 60_000 });
    open(0, [account({ tokens: 3000 })]);
    open(1, [account({ tokens: 3000, id: "delegation:e" })]);
    const { reservation } = await granted(budgets, 0, 1000, 2000);
    const waiting = reserve(budgets, 0, 1000, 1000);
    await new Promise((resolve) => setTimeout(resolve, 10));
    budgets.shut(sandboxOf(0));
    expect(await waiting).toMatchObject({ ok: false, code: "sandbox-ending" });
    answered(budgets, 0, reservation, 1000, 10);
    expect(events.at(-1)).toMatchObject({ type: "budget.settled", data: { tokens: 1010, exact: true } });
    // There is room now, and still nothing goes out; another sandbox is as before.
    expect(await reserve(budgets, 0, 10, 10)).toMatchObject({ ok: false, code: "sandbox-ending" });
    expect(await reserve(budgets, 1, 10, 10)).toMatchObject({ ok: true });
  });

  test("whatever is asked and answered in whatever order, no cap is ever passed", { timeout: 60_000 }, async () => {
    const step = fc.oneof(
      fc.record({
        is: fc.constant("ask" as const),
        input: fc.nat(3000),
        output: fc.option(fc.nat(4000), { nil: undefined }),
      }),
      fc.record({
        is: fc.constant("answer" as const),
        which: fc.nat(20),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
        how: fc.constantFrom("answered" as const, "lost" as const, "unpaid" as const),
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.nat(20_000),
        fc.nat(30_000),
        async (steps, tokens, usd) => {
          const { budgets, open, events } = rig();
          open(0, [account({ tokens, usd })]);
          const held: { reservation: string; input: number; output: number }[] = [];
          for (const one of steps) {
            if (one.is === "ask") {
              const word = await reserve(budgets, 0, one.input, one.output);
              if (word.ok) held.push({ reservation: word.reservation, input: one.input, output: word.output });
            } else {
              const [found] = held.splice(one.which % Math.max(1, held.length), 1);
              if (!found) continue;
              const used = usage(Math.floor(found.input * one.part), Math.floor(found.output * one.part));
              budgets.settle({
                sandbox: sandboxOf(0),
                report: {
                  reservation: found.reservation,
                  how: one.how,
                  ...(one.how === "answered" ? { usage: used } : {}),
                },
              });
            }
            const spent = spentOf(events);
            expect(spent.tokens).toBeLessThanOrEqual(tokens);
            expect(spent.microusd).toBeLessThanOrEqual(usd);
          }
          budgets.close(sandboxOf(0));
        },
      ),
      { numRuns: 400 },
    );
  });
});

/** Everything that is spent or reserved, from the events alone. */
function spentOf(events: readonly Event[]): { tokens: number; microusd: number } {
  const amounts = new Map<string, { tokens: number; microusd: number }>();
  for (const { type, data } of events) {
    if (type === "budget.reserved" || type === "budget.settled") amounts.set(data.reservation, data);
  }
  const sum = { tokens: 0, microusd: 0 };
  for (const { tokens, microusd } of amounts.values()) {
    sum.tokens += tokens;
    sum.microusd += microusd;
  }
  return sum;
}

describe("the end of a sandbox over its budget", () => {
  test("comes after the grace, unless a smaller request is taken meanwhile", async () => {
    const { budgets, open, ended } = rig({ grace: 80 });
    open(0, [account({ tokens: 2000 })]);
    expect(await reserve(budgets, 0, 5000, 10)).toMatchObject({ ok: false, status: 402 });
    expect(await reserve(budgets, 0, 100, 10)).toMatchObject({ ok: true });
    await new Promise((resolve) => setTimeout(resolve, 160));
    expect(ended).toEqual([]);
    expect(await reserve(budgets, 0, 5000, 10)).toMatchObject({ ok: false });
    await new Promise((resolve) => setTimeout(resolve, 160));
    expect(ended).toEqual([sandboxOf(0)]);
    expect(budgets.close(sandboxOf(0))).toMatch(/^tokens: /);
  });
});

describe("settling", () => {
  test("happens once, by the sandbox that reserved", async () => {
    const { budgets, open, events } = rig();
    open(0, [account({ tokens: 3000 })]);
    open(1, [account({ tokens: 3000 })]);
    const { reservation } = await granted(budgets, 0, 1000, 1000);
    answered(budgets, 1, reservation, 0, 0);
    expect(events.filter(({ type }) => type === "budget.settled")).toEqual([]);
    answered(budgets, 0, reservation, 10, 10);
    answered(budgets, 0, reservation, 0, 0);
    expect(events.filter(({ type }) => type === "budget.settled")).toHaveLength(1);
    expect(spentOf(events).tokens).toBe(20);
  });

  test("an append that fails gives the reservation back, and nothing goes out", async () => {
    let fails = true;
    const { budgets, open } = rig({
      append: async () => {
        if (fails) throw new Error("disk");
      },
    });
    open(0, [account({ tokens: 3000 })]);
    await expect(reserve(budgets, 0, 1000, 1500)).rejects.toThrow("disk");
    fails = false;
    expect(await reserve(budgets, 0, 1000, 1500)).toMatchObject({ ok: true });
  });
});

describe("after a restart", () => {
  const replayed = (events: readonly Event[]) => {
    const next = rig();
    for (const event of events) next.budgets.replay({ ...event, time: "2026-03-01T12:00:00.000Z" });
    next.budgets.start();
    return next;
  };
  test("what was open stands as spent, what was settled as settled", async () => {
    const before = rig();
    before.open(0, [account({ tokens: 6000 })]);
    const first = await granted(before.budgets, 0, 1000, 1000);
    answered(before.budgets, 0, first.reservation, 100, 100);
    await granted(before.budgets, 0, 1000, 2000);
    const { budgets, open } = replayed(before.events);
    open(0, [account({ tokens: 6000 })]);
    // 200 settled and 3,000 open: 2,800 are left.
    expect(await reserve(budgets, 0, 1801, 1000)).toMatchObject({ ok: false, code: "tokens-used-up" });
    expect(await reserve(budgets, 0, 1800, 1000)).toMatchObject({ ok: true });
  });
  test("a quota's window goes on", async () => {
    const models = { m: { ...route, quota: [{ requests: 1, window: 3_600_000 }] } };
    const before = rig();
    before.open(0, [account({})], models);
    await granted(before.budgets, 0, 10, 10);
    const { budgets, open, clock } = replayed(before.events);
    open(0, [account({})], models);
    expect(await reserve(budgets, 0, 10, 10)).toMatchObject({ ok: false, code: "quota-used-up", retryAfter: 3600 });
    clock.now = new Date(clock.now.getTime() + 3_600_001);
    expect(await reserve(budgets, 0, 10, 10)).toMatchObject({ ok: true });
  });
});
