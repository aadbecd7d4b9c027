/**
 * Hard budgets of tokens and money (invariant 8). Before a request to a model goes out its worst case is reserved on
 * every account that it counts on, and the reservation is durable; when it is over, what it used takes its place. The
 * check and the reservation are one step, so that no number of requests at once passes a cap.
 */
import { randomBytes } from "node:crypto";
import type { BudgetAccount } from "../domain/budget.ts";
import type { Event, EventData } from "../domain/event.ts";
import { delegationIdFrom, type Role } from "../domain/identity.ts";
import { tokensOf } from "../domain/model.ts";
import type { ModelRoute } from "../domain/policy.ts";
import { costOf, type ModelPrice, priceOf, worstCost } from "../domain/price.ts";
import type { ReserveAsk, Reserved, SettleReport } from "../gateway/model-reserve.ts";
import { type Balances, createBalances } from "./balances.ts";
import { fitting, quotaAccount, quotaWait, shareOf } from "./budget-room.ts";
import { busy, ending, noRoute, over, quotaUsedUp, steering, unpriced } from "./budget-words.ts";

/** One sandbox whose requests are counted. */
export interface BudgetLane {
  sandbox: string;
  delegation: string | undefined;
  role: Role;
  attempt: number;
  models: Readonly<Record<string, ModelRoute>>;
  /** The accounts at a moment: those of a day change at midnight (UTC). */
  accounts(now: Date): readonly BudgetAccount[];
}

export interface Budgets {
  /** Folds what is in the ledger; called for each entry before the first lane. */
  replay(entry: Event & { time: string }): void;
  /** What the last process left open is spent. Called once, after the last `replay`. */
  start(): void;
  open(lane: BudgetLane): void;
  /** A sandbox that is being ended asks no model any more; what it has open is still settled. */
  shut(sandbox: string): void;
  /** Ends a lane; gives what it went over, if it did. Reservations still open are kept. */
  close(sandbox: string): string | undefined;
  reserve(call: { sandbox: string; ask: ReserveAsk }): Promise<Reserved>;
  settle(call: { sandbox: string; report: SettleReport }): void;
}

export interface BudgetTools {
  append(event: Event): Promise<unknown>;
  note(event: Event): void;
  now(): Date;
  /** Called when a sandbox has gone on for `grace` milliseconds after a refusal. */
  onOver(sandbox: string, what: string): void;
  grace?: number;
  /** Milliseconds that a request waits for others to be settled before it is refused. */
  patience?: number;
}

interface Open {
  lane: Lane;
  data: EventData<"budget.reserved">;
  price: ModelPrice | undefined;
  paid: boolean;
}

interface Lane extends BudgetLane {
  noted: Set<number>;
  shut?: boolean;
  over?: string | undefined;
  timer?: NodeJS.Timeout | undefined;
}

/** Output of a request that does not say how much, where neither route nor price table sets it lower. */
const defaultOutput = 32_768;
/** The least output worth a request: less than that is a refusal, where more was asked for. */
const leastOutput = 1024;
/** A usage so many times its reservation is not believed. */
const absurd = 10;
/** Shares of a budget, in percent, at which a harness is told. */
const shares = [95, 80] as const;

export function openBudgets(tools: BudgetTools): Budgets {
  const { grace = 10_000, patience = 300_000 } = tools;
  const balances: Balances = createBalances();
  const lanes = new Map<string, Lane>();
  const open = new Map<string, Open>();
  let waiters: (() => void)[] = [];
  const wake = () => {
    const woken = waiters;
    waiters = [];
    for (const resume of woken) resume();
  };

  async function reserve({ sandbox, ask }: { sandbox: string; ask: ReserveAsk }): Promise<Reserved> {
    const lane = lanes.get(sandbox);
    const route = lane && Object.hasOwn(lane.models, ask.route) ? lane.models[ask.route] : undefined;
    if (!lane || !route) return noRoute(ask.route);
    if (lane.shut) return ending();
    const price = priceOf(route.table, ask.model);
    const paid = route.quota === undefined;
    const most = route.output ?? Number.POSITIVE_INFINITY;
    const asked = Math.min(ask.output ?? Math.min(price?.limit ?? defaultOutput, defaultOutput), most);
    const end = tools.now().getTime() + patience;
    for (;;) {
      if (lanes.get(sandbox) !== lane) return noRoute(ask.route);
      if (lane.shut) return ending();
      const now = tools.now();
      const accounts = lane.accounts(now);
      if (paid && !price && accounts.some(({ usd }) => usd !== undefined)) {
        return refuse(lane, ask, unpriced(ask, route));
      }
      const wait = paid ? undefined : quotaWait(balances, route, now.getTime());
      if (wait !== undefined) return refuse(lane, ask, quotaUsedUp(ask, wait));
      const least = Math.min(asked, leastOutput);
      const fits = fitting(balances, accounts, ask.input, paid ? price : undefined, true);
      const alone = fitting(balances, accounts, ask.input, paid ? price : undefined, false);
      let output = asked;
      if (fits.output < asked) {
        // What is reserved is mostly not used: worth waiting for, rather than an answer cut short or an end.
        const waits = alone.output > fits.output && now.getTime() < end;
        if (waits) {
          await next(end - now.getTime());
          continue;
        }
        if (fits.output < least) {
          if (alone.output >= least) return refuse(lane, ask, busy());
          return refuseOver(lane, ask, over(fits, lane.role));
        }
        output = fits.output;
      }
      return grant(lane, ask, route, price, accounts, output, now);
    }
  }

  async function grant(
    lane: Lane,
    ask: ReserveAsk,
    route: ModelRoute,
    price: ModelPrice | undefined,
    accounts: readonly BudgetAccount[],
    output: number,
    now: Date,
  ): Promise<Reserved> {
    const paid = route.quota === undefined;
    const list = price ? worstCost(price, ask.input, output) : 0;
    const { sandbox, role, attempt, delegation } = lane;
    const data: EventData<"budget.reserved"> = {
      sandbox,
      role,
      attempt,
      reservation: `r-${delegationIdFrom(randomBytes(10)).slice(2)}`,
      route: ask.route,
      model: ask.model,
      accounts: [...accounts.map(({ id }) => id), ...(paid ? [] : [quotaAccount(route)])],
      tokens: ask.input + output,
      microusd: paid ? list : 0,
      list,
      ...(ask.body === undefined ? {} : { body: ask.body }),
    };
    const share = shareOf(balances, accounts, ask.input, paid ? price : undefined, Math.min(output, leastOutput));
    // From here to the reservation nothing is awaited: the check above still holds.
    balances.reserve(data, now.getTime());
    open.set(data.reservation, { lane, data, price, paid });
    clearTimeout(lane.timer);
    lane.over = undefined;
    const reached = shares.find((one) => share >= one && !lane.noted.has(one));
    const note = reached === undefined ? undefined : steering(role, reached);
    for (const one of shares) if (reached !== undefined && one <= reached) lane.noted.add(one);
    try {
      await tools.append(event(delegation, "budget.reserved", data));
    } catch (error) {
      balances.settle({ reservation: data.reservation, tokens: 0, microusd: 0 });
      open.delete(data.reservation);
      wake();
      throw error;
    }
    if (reached !== undefined && note !== undefined) {
      tools.note(event(delegation, "budget.noted", { sandbox, role, attempt, share: reached, text: note }));
    }
    return { ok: true, reservation: data.reservation, output, ...(note === undefined ? {} : { note }) };
  }

  function refuse(lane: Lane, ask: ReserveAsk, word: Reserved & { ok: false }): Reserved {
    const { sandbox, role, attempt, delegation } = lane;
    const { code, why } = word;
    const data = { sandbox, role, attempt, route: ask.route, model: ask.model, code, what: why.slice(0, 500) };
    tools.note(event(delegation, "budget.refused", data));
    return word;
  }

  /** At the cap: a refusal that says so, and the sandbox's end unless a smaller request is taken before. */
  function refuseOver(lane: Lane, ask: ReserveAsk, word: Reserved & { ok: false }): Reserved {
    if (lane.over === undefined) {
      lane.over = word.why;
      lane.timer = setTimeout(() => tools.onOver(lane.sandbox, word.why), grace);
    } else if (lane.timer) return word;
    return refuse(lane, ask, word);
  }

  function next(time: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.max(1, time));
    waiters.push(() => {
      clearTimeout(timer);
      resolve();
    });
    return promise;
  }

  function finish(found: Open, said: { how: SettleReport["how"] } & Partial<SettleReport>): void {
    const { data, lane, price, paid } = found;
    const { reservation, sandbox, role, attempt } = data;
    open.delete(reservation);
    const kept = { tokens: data.tokens, microusd: data.microusd, list: data.list, exact: false };
    let settled: Pick<EventData<"budget.settled">, "tokens" | "microusd" | "list" | "exact" | "why" | "usage"> = kept;
    if (said.how === "unpaid") settled = { tokens: 0, microusd: 0, list: 0, exact: true };
    else if (said.usage) {
      const { usage } = said;
      const tokens = tokensOf(usage);
      if (tokens > data.tokens * absurd || (usage.cacheHour ?? 0) > usage.cacheWrite) {
        settled = { ...kept, why: `the usage of ${tokens} tokens is not believed` };
      } else {
        const list = price ? costOf(price, usage) : 0;
        settled = { tokens, microusd: paid ? list : 0, list, exact: true, usage };
        // The bound was wrong, and what was used is used: it is counted, and said.
        if (tokens > data.tokens) settled.why = `${tokens - data.tokens} tokens more than were reserved`;
      }
    }
    const why = settled.why ?? said.why;
    const model = said.model ?? data.model;
    balances.settle({ reservation, ...settled });
    tools.note(
      event(lane.delegation, "budget.settled", {
        sandbox,
        role,
        attempt,
        reservation,
        model,
        ...settled,
        ...(why === undefined ? {} : { why: why.slice(0, 200) }),
      }),
    );
    wake();
  }

  return {
    replay(entry) {
      if (entry.type === "budget.reserved") balances.reserve(entry.data, Date.parse(entry.time));
      if (entry.type === "budget.settled") balances.settle(entry.data);
    },
    start: () => balances.close(),
    open: (lane) => void lanes.set(lane.sandbox, { ...lane, noted: new Set() }),
    shut(sandbox) {
      const lane = lanes.get(sandbox);
      if (!lane) return;
      lane.shut = true;
      wake();
    },
    close(sandbox) {
      const lane = lanes.get(sandbox);
      if (!lane) return undefined;
      lanes.delete(sandbox);
      clearTimeout(lane.timer);
      for (const found of [...open.values()]) {
        if (found.lane === lane) finish(found, { how: "lost", why: "the sandbox ended" });
      }
      wake();
      return lane.over;
    },
    reserve,
    settle({ sandbox, report }) {
      const found = open.get(report.reservation);
      // Of another sandbox's reservation nobody can say how it ended.
      if (found && found.lane.sandbox === sandbox) finish(found, report);
    },
  };
}

function event<T extends "budget.reserved" | "budget.settled" | "budget.noted" | "budget.refused">(
  delegation: string | undefined,
  type: T,
  data: EventData<T>,
): Event {
  return { type, data, ...(delegation === undefined ? {} : { delegation }) } as Event;
}
