/**
 * Calibration at work: canaries are drawn after real verdicts and run in the host's lanes, an approved bad one closes the
 * gate, and what waits for an open gate waits here. docs/calibration.md has the whole.
 */
import { randomBytes, randomInt } from "node:crypto";
import { loadRole, requireRoute } from "../delegation/admit.ts";
import type { GateWatch } from "../delegation/hold.ts";
import { LedgerGone } from "../delegation/loop.ts";
import type { LoopTools } from "../delegation/tools.ts";
import type { BudgetAccount } from "../domain/budget.ts";
import type { CalibrationConfig } from "../domain/config.ts";
import { SallyportError } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import { canaryIdFrom } from "../domain/identity.ts";
import type { Policy } from "../domain/policy.ts";
import type { RouteAnswer } from "../domain/routes.ts";
import { type CanaryCase, loadCases } from "../gate/calibration/canary-case.ts";
import { drawCase } from "../gate/calibration/draw-case.ts";
import { isFalseApproval } from "../gate/calibration/gate-state.ts";
import { verifierRates } from "../gate/calibration/rates.ts";
import { type CanaryPlan, failedCanary, runCanary } from "../gate/calibration/run-canary.ts";
import { shuffled } from "../gate/calibration/seeded.ts";
import { type Judge, judgesOf } from "../gate/panel.ts";
import type { Admission } from "./admission.ts";
import type { HouseSecrets } from "./house-secrets.ts";
import { forgetSourcesOf } from "./keeper-environment.ts";
import type { Lanes } from "./lanes.ts";
import type { Log } from "./log.ts";
import type { Store } from "./store.ts";

/** What a calibration is asked for. */
export interface CalibrateRequest {
  policy?: string | undefined;
  harness?: string | undefined;
  count: number;
}

export interface Calibration extends GateWatch {
  /** Reads the cases. Throws `canary-invalid`: the operator hears of it at the start. */
  ready(): Promise<void>;
  /** Runs a canary that was drawn, in a lane. */
  run(id: string, signal: AbortSignal): Promise<void>;
  /** Draws canaries now; gives their ids. Errors: `canary-invalid`, `queue-full`, and those of a policy's admission. */
  calibrate(request: CalibrateRequest): Promise<string[]>;
  status(): RouteAnswer<"GET /v1/gate">;
  /** What became of a canary since the start: `waiting`, `running`, or its last event. Throws `not-found`. */
  canary(id: string): { id: string; state: "waiting" | "running" | "judged" | "failed"; event?: Entry };
  open(by: string, reason: string): Promise<{ open: boolean }>;
  close(by: string, reason: string): Promise<{ open: boolean }>;
  /** Draws no more. */
  end(): void;
}

interface Parts {
  store: Store;
  lanes: () => Lanes;
  tools: Pick<LoopTools, "append" | "runRole" | "loadHarness" | "directories">;
  config: CalibrationConfig;
  admission: () => Pick<Admission, "loadPolicy" | "findImage">;
  secrets: Pick<HouseSecrets, "hold" | "release">;
  /** Where scratch repositories are made. */
  scratch: string;
  log: Log;
  /** The shipped cases' directory, and the operator's. */
  directories: readonly string[];
}

/** How many canaries' ends are kept for whoever asked for them. */
const mostRemembered = 5000;

export function openCalibration(parts: Parts): Calibration {
  const { store, lanes, tools, config, log } = parts;
  const plans = new Map<string, CanaryPlan>();
  const ends = new Map<string, Entry>();
  let cases: Promise<CanaryCase[]> | undefined;
  let ended = false;
  const known = () => (cases ??= loadCases(parts.directories));

  const unsubscribe = store.ledger.subscribe((entry) => {
    if (entry.type === "canary.judged" || entry.type === "canary.failed") {
      if (entry.delegation) remember(entry.delegation, entry);
      // Of several that were approved, the first closed it.
      if (
        entry.type === "canary.judged" &&
        isFalseApproval(entry.data) &&
        store.gate().closed?.canary === entry.delegation
      )
        void sayClosed();
    }
    if (ended || entry.type !== "verdict.received" || !entry.delegation?.startsWith("d-")) return;
    const { member } = entry.data;
    // The word of a panel's whole is no verifier's.
    const judges = judgesOf(store.record(entry.delegation));
    const who = member ?? (judges.length === 1 ? judges[0] : undefined);
    // The kernel's randomness: who is judged cannot foretell when.
    if (who && randomInt(2 ** 40) / 2 ** 40 < config.rate)
      void drawAfter(entry.delegation, who).catch((error: unknown) =>
        log.error({ err: error }, "a canary was not drawn"),
      );
  });

  function remember(id: string, entry: Entry): void {
    plans.delete(id);
    ends.set(id, entry);
    for (const oldest of ends.size > mostRemembered ? [...ends.keys()].slice(0, 1) : []) ends.delete(oldest);
  }

  /** The judgement has closed the gate already; this is the line that says so. */
  async function sayClosed(): Promise<void> {
    const { closed } = store.gate();
    if (closed?.by !== "calibration") return;
    const { reason, canary } = closed;
    log.error({ canary }, `the gate is closed: ${reason}`);
    await tools
      .append({ type: "gate.closed", data: { by: "calibration", reason, ...(canary ? { canary } : {}) } })
      .catch((error: unknown) => {
        if (!(error instanceof LedgerGone)) log.error({ err: error }, "the gate's closing was not written down");
      });
  }

  async function drawAfter(delegation: string, who: Judge): Promise<void> {
    const record = store.record(delegation);
    const paths = record.attempts.at(-1)?.proposal?.changes.map(({ path }) => path) ?? [];
    const one = drawCase(await known(), paths, (below) => randomInt(below));
    if (!one || ended || !lanes().hasRoom()) return;
    enqueue({
      case: one,
      trigger: "rate",
      after: delegation,
      policy: record.policy,
      harness: await tools.loadHarness(who.harness),
      image: who.image,
    });
  }

  function enqueue(plan: Omit<CanaryPlan, "id" | "seed">): string {
    const id = canaryIdFrom(randomBytes(10));
    plans.set(id, { ...plan, id, seed: randomBytes(16).toString("hex") });
    try {
      lanes().enqueue(id);
    } catch (error) {
      plans.delete(id);
      throw error;
    }
    return id;
  }

  /** The caps of the policy on an account of the canary's own, so that a harness is told what it would be told; and the day's. */
  function accountsOf(id: string, policy: Policy): BudgetAccount[] {
    const { tokens, usd } = policy.budget;
    const day = new Date().toISOString().slice(0, 10);
    return [
      { id: `canary:${id}`, whose: "this delegation", rule: "budget", tokens, usd },
      {
        id: `calibration-day:${day}`,
        whose: "the host's calibration today",
        rule: "calibration",
        tokens: config.tokens,
        usd: config.usd,
      },
    ];
  }

  return {
    ready: async () => void (await known()),
    closed: () => store.gate().closed?.reason,
    async opened(id, signal) {
      const takeBack = lanes().lend(id);
      try {
        await new Promise<void>((resolve, reject) => {
          const look = () => {
            if (store.gate().closed) return;
            finish();
            resolve();
          };
          const abort = () => {
            finish();
            reject(signal.reason);
          };
          const stop = store.ledger.subscribe((entry) => {
            if (entry.type === "gate.opened") look();
          });
          const finish = () => {
            stop();
            signal.removeEventListener("abort", abort);
          };
          signal.addEventListener("abort", abort, { once: true });
          if (signal.aborted) abort();
          else look();
        });
      } finally {
        await takeBack();
      }
    },
    async run(id, signal) {
      const plan = plans.get(id);
      if (!plan) return;
      try {
        try {
          await parts.secrets.hold(id, plan.policy);
        } catch (thrown) {
          await tools.append(failedCanary(plan, thrown));
          return;
        }
        await runCanary(
          plan,
          {
            append: tools.append,
            runRole: tools.runRole,
            accounts: accountsOf(id, plan.policy),
            lanes: tools.directories.lanes,
            scratch: parts.scratch,
          },
          signal,
        );
      } catch (error) {
        // Cut by the host's end: it says nothing about the verifier, and another one is drawn another day.
        if (!signal.aborted && !(error instanceof LedgerGone)) throw error;
      } finally {
        parts.secrets.release(id);
        plans.delete(id);
      }
    },
    async calibrate({ policy: name = "base", harness: named, count }) {
      const written = await parts.admission().loadPolicy(name);
      const policy: Policy = named ? { ...written, verifier: { ...written.verifier, harness: named } } : written;
      forgetSourcesOf(policy);
      const harness = await loadRole(tools, policy.verifier.harness, "verifier");
      requireRoute(harness, policy);
      const image = await parts.admission().findImage(policy.verifier.harness);
      const all = await known();
      if (all.length === 0)
        throw new SallyportError("canary-invalid", "there is no case", { next: "docs/calibration.md has the form." });
      // Every case as often as the others, in an order that nobody can foretell.
      const order: CanaryCase[] = [];
      while (order.length < count) order.push(...shuffled(all, randomBytes(16).toString("hex")));
      return order.slice(0, count).map((one) => enqueue({ case: one, trigger: "operator", policy, harness, image }));
    },
    canary(id) {
      const event = ends.get(id);
      if (event) return { id, state: event.type === "canary.judged" ? "judged" : "failed", event };
      if (!plans.has(id))
        throw new SallyportError("not-found", `there is no canary ${id} of this start of the host`, {
          next: "`sallyport audit show --type canary.judged` has all that were judged.",
        });
      return { id, state: lanes().status().running.includes(id) ? "running" : "waiting" };
    },
    status() {
      const gate = store.gate();
      const verifiers = verifierRates(gate, config.window);
      return {
        open: gate.closed === undefined,
        ...(gate.closed ? { closed: gate.closed } : {}),
        ...(gate.opened ? { opened: gate.opened } : {}),
        rate: config.rate,
        window: config.window,
        warn: config.warn,
        warnings: verifiers
          .filter(({ falseRejection }) => (falseRejection.rate ?? 0) > config.warn)
          .map(
            ({ harness, policy, falseRejection: { count, of } }) =>
              `${harness} under policy ${policy} rejected ${count} of ${of} good changes`,
          ),
        verifiers,
        failed: gate.failed,
        waiting: [...plans.keys()].length,
        held: store
          .list()
          .filter(({ held }) => held !== undefined)
          .map(({ id }) => id),
      };
    },
    async open(by, reason) {
      if (!store.gate().closed)
        throw new SallyportError("state-refused", "the gate is open", { next: "There is nothing to do." });
      await tools.append({ type: "gate.opened", data: { by, reason } });
      return { open: true };
    },
    async close(by, reason) {
      if (store.gate().closed)
        throw new SallyportError("state-refused", "the gate is closed already", { next: "`sallyport gate status`." });
      await tools.append({ type: "gate.closed", data: { by, reason } });
      return { open: false };
    },
    end() {
      ended = true;
      unsubscribe();
    },
  };
}
