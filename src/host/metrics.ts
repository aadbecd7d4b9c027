/**
 * Figures for Prometheus, by its conventions: base units, counters that end in `_total` and begin at each start. What labels
 * hold is bounded: states, codes, roles, names of harnesses; never an id, a host, a path or a model's name.
 */
import { createServer, type Server } from "node:http";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { MetricsConfig } from "../domain/config.ts";
import { states } from "../domain/delegation.ts";
import { isDenialCode } from "../domain/denial.ts";
import { SallyportError } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import { verifierRates } from "../gate/calibration/rates.ts";
import type { Ledger } from "../ledger/open.ts";
import type { SandboxEngine } from "../sandbox/engine.ts";
import type { Drain } from "./drain.ts";
import type { Landings } from "./landings.ts";
import type { Lanes } from "./lanes.ts";
import type { Log } from "./log.ts";
import type { Store } from "./store.ts";
import { version } from "./version.ts";

/** What is looked at when Prometheus asks. */
export interface Watched {
  store: Pick<Store, "list" | "find" | "gate" | "ledger">;
  lanes: Pick<Lanes, "status">;
  landings: Pick<Landings, "status">;
  drain: Pick<Drain, "begun">;
  /** How many may wait. */
  queue: number;
  /** Canaries that a verifier's rates are told over. */
  window: number;
  /** Seconds since the anchor that is behind most was handed out; undefined where there is none. */
  anchorAge?: () => number | undefined;
}

export interface Metrics {
  /** The ledger with its appends timed. */
  ledger(ledger: Ledger): Ledger;
  /** The engine with its starts timed. */
  engine(engine: SandboxEngine): SandboxEngine;
  gatewayStarted(): void;
  /** From now on the ledger's events are counted, and the rest is read when asked. */
  watch(watched: Watched): void;
  /** The figures as text, and its media type. */
  text(): Promise<{ type: string; body: string }>;
}

const seconds = {
  append: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  start: [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10],
};

export function openMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Counter({ name: `sallyport_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge({ name: `sallyport_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], labelNames: L[] = []) =>
    new Histogram({ name: `sallyport_${name}`, help, buckets, labelNames, registers });

  gauge("build_info", "Always 1; the version is its label.", ["version"]).set({ version }, 1);
  const delegations = gauge("delegations", "Delegations in the ledger by state.", ["state"]);
  const ended = counter("delegations_ended_total", "Delegations that came to rest, by state and executor.", [
    "state",
    "executor",
  ]);
  const refused = counter("delegations_refused_total", "Briefs that were refused, by error code.", ["code"]);
  const attempts = counter("attempts_total", "Attempts, by what became of them.", ["outcome"]);
  const verdicts = counter("verdicts_total", "Verdicts received, by decision.", ["decision"]);
  const requests = counter("requests_total", "Requests of sandboxes, by the gateway's decision and code.", [
    "decision",
    "code",
  ]);
  const tokens = counter("model_tokens_total", "Tokens that models used, by role.", ["role"]);
  const dollars = counter("model_cost_dollars_total", "What models cost, in US dollars, by role.", ["role"]);
  const budgetRefused = counter("budget_refusals_total", "Model requests refused for a budget, by code.", ["code"]);
  const lanes = gauge("lanes", "How many delegations may run at once.");
  const busy = gauge("lanes_busy", "How many run.");
  const queued = gauge("queue_length", "How many delegations wait.");
  const limit = gauge("queue_limit", "How many may wait.");
  const landing = gauge("landings_pending", "Landings that run or wait.");
  const draining = gauge("draining", "1 while nothing new is taken.");
  const lines = gauge("ledger_head_seq", "The last durable line of the ledger.");
  const failed = gauge("ledger_failed", "1 when the ledger takes nothing any more.");
  const appends = histogram("ledger_append_seconds", "From an append to its being durable.", seconds.append);
  const gateOpen = gauge("gate_open", "1 while anything may be signed and land.");
  const canaries = counter("gate_canaries_total", "Canaries judged, by label and by what was made of them.", [
    "label",
    "outcome",
  ]);
  const errorRate = gauge("gate_error_rate", "Error rate of a verifier on its last canaries.", [
    "verifier",
    "policy",
    "kind",
  ]);
  const errorBound = gauge("gate_error_rate_upper", "Its one-sided 95 % bound from above.", [
    "verifier",
    "policy",
    "kind",
  ]);
  const starts = histogram("sandbox_start_seconds", "From asking for a sandbox to its running.", seconds.start, [
    "role",
  ]);
  const startFailures = counter("sandbox_start_failures_total", "Sandboxes that did not start, by role.", ["role"]);
  const ends = counter("sandboxes_ended_total", "Sandboxes that ended, by how.", ["end"]);
  const gateways = counter("gateway_starts_total", "Starts of the gateway; more than one is a restart.");
  const anchorAge = gauge("anchor_age_seconds", "Since the anchor that is furthest behind was handed out.");

  const counted = (watched: Watched, entry: Entry): void => {
    const record = entry.delegation === undefined ? undefined : watched.store.find(entry.delegation);
    switch (entry.type) {
      case "delegation.refused":
        refused.inc({ code: entry.data.code });
        break;
      case "delegation.approved":
      case "delegation.landed":
      case "delegation.rejected":
      case "delegation.stuck":
      case "delegation.over-budget":
      case "delegation.discarded":
      case "delegation.failed":
        if (record) ended.inc({ state: record.state, executor: record.attempts.at(-1)?.executor ?? "none" });
        break;
      case "attempt.started":
        attempts.inc({ outcome: "started" });
        break;
      case "attempt.executed":
        attempts.inc({ outcome: "executed" });
        break;
      case "attempt.failed":
        attempts.inc({ outcome: "failed" });
        break;
      case "attempt.rejected":
        attempts.inc({ outcome: `rejected-by-${entry.data.by}` });
        break;
      case "verdict.received":
        verdicts.inc({ decision: entry.data.verdict.decision });
        break;
      case "request": {
        const { decision, code } = entry.data;
        // The gateway's word, and it faces the sandboxes: what is not in the list is not a label.
        requests.inc({ decision, code: decision === "allow" ? "" : isDenialCode(code) ? code : "other" });
        break;
      }
      case "budget.settled":
        tokens.inc({ role: entry.data.role }, entry.data.tokens);
        dollars.inc({ role: entry.data.role }, entry.data.microusd / 1e6);
        break;
      case "budget.refused":
        budgetRefused.inc({ code: isDenialCode(entry.data.code) ? entry.data.code : "other" });
        break;
      case "sandbox.ended":
        ends.inc({ end: entry.data.end });
        break;
      case "canary.judged":
        canaries.inc({ label: entry.data.label, outcome: entry.data.approved ? "approved" : "rejected" });
        break;
      case "canary.failed":
        canaries.inc({ label: entry.data.label, outcome: "failed" });
        break;
    }
  };

  const look = ({ store, lanes: all, landings, drain, queue, window, anchorAge: age }: Watched): void => {
    const byState = new Map<string, number>(states.map((state) => [state, 0]));
    for (const { state } of store.list()) byState.set(state, (byState.get(state) ?? 0) + 1);
    for (const [state, count] of byState) delegations.set({ state }, count);
    const now = all.status();
    lanes.set(now.lanes);
    busy.set(now.running.length);
    queued.set(now.waiting.length);
    limit.set(queue);
    landing.set(landings.status().length);
    draining.set(drain.begun ? 1 : 0);
    lines.set(store.ledger.head().seq);
    failed.set(store.ledger.failure() ? 1 : 0);
    const gate = store.gate();
    gateOpen.set(gate.closed ? 0 : 1);
    errorRate.reset();
    errorBound.reset();
    for (const { harness, policy, falseApproval, falseRejection } of verifierRates(gate, window)) {
      for (const [kind, { rate, high }] of [
        ["false-approval", falseApproval],
        ["false-rejection", falseRejection],
      ] as const) {
        if (rate !== undefined) errorRate.set({ verifier: harness, policy, kind }, rate);
        errorBound.set({ verifier: harness, policy, kind }, high);
      }
    }
    const behind = age?.();
    if (behind !== undefined) anchorAge.set(behind);
  };

  let watching: Watched | undefined;
  return {
    ledger: (ledger) => ({
      ...ledger,
      async append(event) {
        const end = appends.startTimer();
        const entry = await ledger.append(event);
        end();
        return entry;
      },
    }),
    engine: (engine) => ({
      name: engine.name,
      sweep: (host) => engine.sweep(host),
      async start(spec) {
        const end = starts.startTimer({ role: spec.role });
        try {
          const sandbox = await engine.start(spec);
          end();
          return sandbox;
        } catch (error) {
          startFailures.inc({ role: spec.role });
          throw error;
        }
      },
    }),
    gatewayStarted: () => gateways.inc(),
    watch(watched) {
      watching = watched;
      // After the store, which folds first: the record is in its new state.
      watched.store.ledger.subscribe((entry) => counted(watched, entry));
    },
    async text() {
      if (watching) look(watching);
      return { type: registry.contentType, body: await registry.metrics() };
    },
  };
}

/**
 * Listens for Prometheus on this machine's loopback, with one path and no other. Whoever is on the machine can read the figures:
 * they name no work. A page in a browser here cannot: its Host, after rebinding a name, is not the address.
 * Throws `config-invalid` where the port is taken.
 */
export async function listenForMetrics(metrics: Metrics, config: MetricsConfig, log: Log): Promise<Server> {
  const host = config.address.includes(":") ? `[${config.address}]` : config.address;
  const allowed = new Set([`${host}:${config.port}`, `localhost:${config.port}`]);
  const server = createServer((request, response) => {
    if (!allowed.has(request.headers.host ?? "") || request.headers.origin !== undefined) {
      response.writeHead(403).end();
      return;
    }
    if (request.method !== "GET" || request.url !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    metrics.text().then(
      ({ type, body }) => response.writeHead(200, { "content-type": type, "cache-control": "no-store" }).end(body),
      (error: unknown) => {
        log.error({ err: error }, "no metrics");
        response.writeHead(500).end();
      },
    );
  });
  server.requestTimeout = 10_000;
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(config.port, config.address, resolve);
  }).catch((cause: NodeJS.ErrnoException) => {
    throw new SallyportError(
      "config-invalid",
      `metrics: ${config.address}:${config.port} cannot be had: ${cause.code}`,
      {
        next: "Name another port under `metrics` in config.yaml.",
        cause,
      },
    );
  });
  log.info({ metrics: `http://${host}:${config.port}/metrics` }, "listening");
  return server;
}
