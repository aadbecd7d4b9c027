/** A delegation's record made by its events, as a ledger would tell it. */
import type { Delegation } from "../../src/domain/delegation.ts";
import type { Event } from "../../src/domain/event.ts";
import type { Policy } from "../../src/domain/policy.ts";
import type { Finding } from "../../src/domain/rejection.ts";
import { digestValue } from "../../src/gate/digest.ts";
import { approval, digest, oid, policyOf, reportOf } from "../gate/samples.ts";
import { briefOf, freshId, images } from "./approved.ts";
import { memoryStore } from "./memory-store.ts";

/** What a model was asked in an attempt: micro-dollars paid and at list price. */
export interface Asked {
  role?: "executor" | "verifier";
  tokens: number;
  microusd: number;
  list?: number;
  /** Not settled: a crash, or it still runs. */
  open?: boolean;
}

/** One attempt: how it ended, by whom, on what, and at what cost. */
export interface Tried {
  end: "approved" | "rejected" | "stuck" | "over-budget" | "failed";
  executor?: string;
  findings?: Finding["reason"][];
  by?: "host" | "verifier";
  paths?: string[];
  asked?: Asked[];
  /** Milliseconds of the executor's sandbox. */
  milliseconds?: number;
  denied?: { url: string; code?: string; times?: number }[];
  message?: string;
}

export interface Life {
  tries: Tried[];
  brief?: object;
  policy?: Partial<Policy>;
  candidates?: string[];
  /** Ends it after its attempts. */
  last?: Event["type"] & ("delegation.rejected" | "delegation.discarded");
  reason?: string;
  by?: "executor" | "host";
}

let counted = 0;
const sandboxId = () => {
  counted += 1;
  const text = [...counted.toString(26)].map((c) => String.fromCharCode(97 + Number.parseInt(c, 26))).join("");
  return text.padStart(16, "a");
};

/** Folds a life into its record; its events are in the store's log. */
export async function lived(life: Life, store = memoryStore()): Promise<Delegation> {
  const id = freshId();
  const policy = policyOf(life.policy);
  const names = life.candidates;
  const brief = briefOf({ ...(names ? { executor: names } : {}), ...life.brief });
  const say = (event: Omit<Event, "delegation">) => store.append({ ...event, delegation: id } as Event);
  const image = images.executor;
  await say({
    type: "delegation.accepted",
    data: {
      repository: "/srv/r.git",
      base: oid("0"),
      ref: "refs/heads/main",
      planner: "default",
      brief,
      checkFiles: {},
      policy,
      policyDigest: digestValue(policy),
      briefDigest: digestValue(brief),
      images,
      ...(names ? { candidates: names.map((executor) => ({ executor, image })) } : {}),
    },
  });
  await say({ type: "delegation.started", data: { lane: 0 } });
  for (const [index, tried] of life.tries.entries()) await attempt(id, index + 1, tried, life, say);
  const message = "none was approved";
  if (life.last === "delegation.rejected") await say({ type: life.last, data: { hard: false, message } });
  if (life.last === "delegation.discarded") await say({ type: life.last, data: { by: "default" } });
  return store.record(id);
}

async function attempt(
  id: string,
  number: number,
  tried: Tried,
  life: Life,
  say: (event: Omit<Event, "delegation">) => Promise<unknown>,
): Promise<void> {
  const data = { attempt: number };
  if (life.candidates) {
    const executor = tried.executor ?? life.candidates[0] ?? "";
    await say({
      type: "executor.chosen",
      data: { ...data, executor, image: images.executor, reasons: ["the test says so"] },
    });
  }
  await say({ type: "attempt.started", data: { ...data, from: oid("1") } });
  const sandbox = `s-${sandboxId()}`;
  const start = { sandbox, ...data, purpose: "execute", image: images.executor, engine: "docker", controls: {} };
  await say({ type: "sandbox.started", data: { ...start, role: "executor" } });
  for (const { role = "executor", tokens, microusd, list = microusd, open } of tried.asked ?? []) {
    const reservation = `r-${sandboxId()}`;
    const of = { sandbox, role, ...data, reservation };
    await say({
      type: "budget.reserved",
      data: {
        ...of,
        route: "m",
        model: "m-1",
        accounts: [],
        tokens: tokens * 2,
        microusd: microusd * 2,
        list: list * 2,
      },
    });
    if (open) continue;
    await say({ type: "budget.settled", data: { ...of, model: "m-1", tokens, microusd, list, exact: true } });
  }
  for (const { url, code = "no-rule", times = 1 } of tried.denied ?? []) {
    for (let n = 0; n < times; n++) {
      const request = { sandbox, method: "GET", url, decision: "deny" as const, code, rule: "none" };
      await say({ type: "request", data: { ...request, sent: 0, received: 0, milliseconds: 1 } });
    }
  }
  const output = { bytes: 0, digest: digest("0"), kept: 0 };
  const milliseconds = tried.milliseconds ?? 1000;
  await say({ type: "sandbox.ended", data: { sandbox, end: "exit", exit: 0, milliseconds, output } });
  if (tried.end === "failed") {
    await say({ type: "attempt.failed", data: { ...data, code: "internal", message: "the host's own trouble" } });
    return;
  }
  if (tried.end === "over-budget") {
    await say({ type: "delegation.over-budget", data: { ...data, what: "wall time" } });
    return;
  }
  await say({ type: "attempt.executed", data: { ...data, end: "exit" } });
  if (tried.end === "stuck") {
    const by = life.by ?? "executor";
    await say({ type: "delegation.stuck", data: { ...data, reason: life.reason ?? "no idea", by } });
    return;
  }
  const changes = (tried.paths ?? ["src/sum.mjs"]).map((path) => ({ path, kind: "modified" as const }));
  const proposal = {
    ...data,
    commit: oid("2"),
    tree: oid("3"),
    patch: digest("4"),
    patchBytes: 10,
    changes,
    ignored: 0,
  };
  await say({ type: "proposal.collected", data: { proposal } });
  await say({ type: "tests.reported", data: { ...data, report: reportOf(), digest: digest("5") } });
  if (tried.end === "rejected") {
    const findings = (tried.findings ?? ["verdict-reject"]).map((reason) => ({
      reason,
      message: tried.message ?? `because of ${reason}`,
    }));
    await say({ type: "attempt.rejected", data: { ...data, by: tried.by ?? "verifier", hard: false, findings } });
    return;
  }
  await say({ type: "verdict.received", data: { ...data, verdict: approval(), digest: digest("6") } });
  await say({ type: "delegation.approved", data: approvedData(number) });

  function approvedData(of: number): Extract<Event, { type: "delegation.approved" }>["data"] {
    const issued = "2026-03-01T12:00:00.000Z";
    return {
      attempt: of,
      digest: digest("7"),
      approval: {
        payloadType: "application/vnd.in-toto+json",
        payload: "e30=",
        signatures: [{ keyid: digest("a"), sig: "c2ln" }],
      },
      predicate: {
        repository: "/srv/r.git",
        ref: "refs/heads/main",
        delegation: id,
        attempt: of,
        base: oid("0"),
        tree: oid("3"),
        brief: digest("8"),
        patch: digest("4"),
        testReport: digest("5"),
        verdict: digest("6"),
        policy: digest("9"),
        images,
        verifier: { harness: "skeptic", image: images.verifier },
        issued,
        expires: issued,
      },
    } as Extract<Event, { type: "delegation.approved" }>["data"];
  }
}
