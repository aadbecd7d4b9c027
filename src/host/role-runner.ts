/** One role's turn: gateway lane, sandbox, and what the ledger says about both. The only place that knows all three. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { BudgetAccount } from "../domain/budget.ts";
import { type ErrorCode, SallyportError } from "../domain/error.ts";
import type { Event } from "../domain/event.ts";
import { delegationIdFrom } from "../domain/identity.ts";
import type { ModelRoute } from "../domain/policy.ts";
import type { Gateway } from "../gateway/process.ts";
import { bindSecrets } from "../gateway/secret-lane.ts";
import { laneFiles, transparentFor } from "../gateway/transparent.ts";
import type { Sandbox, SandboxEngine } from "../sandbox/engine.ts";
import { sandboxPaths } from "../sandbox/hardening.ts";
import type { RoleRun, RoleWatch, RunRole, VerbAnswer } from "../sandbox/role-run.ts";
import type { Budgets } from "./budgets.ts";
import type { HouseSecrets } from "./house-secrets.ts";

export interface RoleRunner {
  run: RunRole;
  /** A verb that came in through a sandbox's socket. */
  onVerb(call: { sandbox: string; verb: string; body: unknown }): Promise<VerbAnswer>;
  /** A request that the gateway decided. */
  delegationOf(sandbox: string): string | undefined;
  /** Bytes of a model's answer come in. */
  onProgress(call: { sandbox: string; reservation: string }): void;
  /** A cap of tokens or money was met: the sandbox ends now. */
  overBudget(sandbox: string): void;
  /** The way out is gone: every sandbox ends now. */
  gatewayLost(): void;
  running(): number;
}

interface Live {
  delegation: string;
  verbs: Readonly<Record<string, (body: unknown) => Promise<VerbAnswer>>>;
  watch: RoleWatch | undefined;
  sandbox?: Sandbox;
  /** Whether a lane is open for it. */
  hasLane: boolean;
  gatewayLost?: boolean;
}

export function roleRunner(tools: {
  engine: SandboxEngine;
  gateway: () => Promise<Gateway>;
  instance: string;
  note: (event: Event) => void;
  secrets: Pick<HouseSecrets, "mask" | "maskOutput" | "ready">;
  /** Counts what models cost, and knows on which accounts. Left out: no model is asked anything. */
  budgets?: Pick<Budgets, "open" | "shut" | "close"> & {
    accountsOf(role: RoleRun, now: Date): readonly BudgetAccount[];
  };
}): RoleRunner {
  const live = new Map<string, Live>();

  async function run(role: RoleRun) {
    role.signal.throwIfAborted();
    const id = `s-${delegationIdFrom(randomBytes(10)).slice(2)}`;
    const entry: Live = {
      delegation: role.delegation,
      verbs: role.lane?.verbs ?? {},
      watch: role.watch,
      hasLane: false,
    };
    live.set(id, entry);
    const { delegation } = role;
    let placeholders: Record<string, string> = {};
    // The gateway that holds the lane: after a restart the new one knows nothing of it, and there is nothing to close.
    let holder: Gateway | undefined;
    try {
      const mounts = [...role.mounts];
      if (role.lane) {
        const { network, models, requests, verbs, secrets } = role.lane;
        // A delegation holds the values; its sandboxes get what stands for them.
        const bound = bindSecrets(delegation, { network, models }, secrets);
        if (bound) placeholders = bound.environment;
        const lane = {
          sandbox: id,
          role: role.role,
          network: [...network],
          models: withoutTables(models),
          requests,
          verbs: Object.keys(verbs),
          ...(bound ? { secrets: bound.secrets } : {}),
        };
        const { accounts = [] } = role.lane;
        tools.budgets?.open({
          sandbox: id,
          delegation,
          role: role.role,
          attempt: role.attempt,
          models,
          accounts: (now) => [...(tools.budgets?.accountsOf(role, now) ?? []), ...accounts],
        });
        const gateway = await tools.gateway();
        if (bound) await tools.secrets.ready(delegation);
        const { directory } = await gateway.openLane(lane);
        holder = gateway;
        entry.hasLane = true;
        // Read-only: the socket can be connected to, but not replaced or removed (ATTACKS F9).
        mounts.push({ source: directory, target: sandboxPaths.socket, writable: false });
        if (transparentFor(network).hosts.length > 0) {
          mounts.push({ source: join(directory, laneFiles.hosts), target: sandboxPaths.hosts, writable: false });
        }
      }
      const sandbox = await tools.engine.start({
        id,
        host: tools.instance,
        role: role.role,
        image: role.image,
        command: role.command,
        environment: { ...role.environment, ...placeholders },
        directory: role.directory,
        mounts,
        runtime: role.limits.runtime,
        cpus: role.limits.cpus,
        memory: role.limits.memory,
        pids: role.limits.pids,
        fileSize: role.limits.disk,
        wall: role.wall,
        output: role.output,
        ...(role.watch ? { onOutput: role.watch.printed } : {}),
      });
      entry.sandbox = sandbox;
      role.watch?.started(sandbox);
      // First its way to models: the engine may take its time.
      const stop = () => {
        tools.budgets?.shut(id);
        sandbox.end("stopped");
      };
      if (role.signal.aborted) stop();
      // The gateway went while the sandbox was being made.
      if (entry.gatewayLost) sandbox.end("gateway-lost");
      role.signal.addEventListener("abort", stop, { once: true });
      tools.note({
        type: "sandbox.started",
        delegation,
        data: {
          sandbox: id,
          attempt: role.attempt,
          role: role.role,
          purpose: role.purpose,
          image: role.image,
          engine: tools.engine.name,
          controls: sandbox.controls,
        },
      });
      const ended = await sandbox.done;
      role.signal.removeEventListener("abort", stop);
      // A socket that is not the one that was opened (ATTACKS F9) fails the attempt, once its end is written down.
      const tampered = await closeLane(holder, id);
      holder = undefined;
      const over = tools.budgets?.close(id);
      const head = await tools.secrets.maskOutput(ended.output.head);
      const tail = await tools.secrets.maskOutput(ended.output.tail);
      const result = { ...ended, output: { ...ended.output, head, tail } };
      const { end, exit, milliseconds, output } = result;
      const kept = Math.min(output.bytes, output.head.length + output.tail.length);
      tools.note({
        type: "sandbox.ended",
        delegation,
        data: { sandbox: id, end, exit, milliseconds, output: { bytes: output.bytes, digest: output.digest, kept } },
      });
      if (tampered && end !== "gateway-lost") throw tampered;
      return { ...result, sandbox: id, ...(over === undefined ? {} : { over }) };
    } finally {
      await closeLane(holder, id);
      tools.budgets?.close(id);
      live.delete(id);
    }
  }

  return {
    run,
    async onVerb({ sandbox, verb, body }) {
      const entry = live.get(sandbox);
      const handler = entry && Object.hasOwn(entry.verbs, verb) ? entry.verbs[verb] : undefined;
      if (!entry || !handler)
        return { status: 404, body: { code: "no-such-verb", next: "This role has no such verb." } };
      // What a report or a verdict says is written down: whoever handles it sees it masked, or not at all.
      const said = JSON.parse(await tools.secrets.mask(JSON.stringify(body ?? null))) as unknown;
      const answer = await handler(said);
      const text = (said as { text?: unknown } | null)?.text;
      tools.note({
        type: "verb",
        delegation: entry.delegation,
        data: {
          sandbox,
          verb,
          status: answer.status,
          ...(typeof text === "string" ? { text: text.slice(0, 4000).toWellFormed() } : {}),
        },
      });
      return answer;
    },
    onProgress: ({ sandbox, reservation }) => live.get(sandbox)?.watch?.upstream(reservation),
    delegationOf: (sandbox) => live.get(sandbox)?.delegation,
    overBudget: (sandbox) => live.get(sandbox)?.sandbox?.end("budget"),
    gatewayLost() {
      for (const entry of live.values()) {
        if (!entry.hasLane) continue;
        entry.gatewayLost = true;
        entry.sandbox?.end("gateway-lost");
      }
    },
    running: () => live.size,
  };
}

/** What the gateway needs of the routes: prices are the daemon's business. */
function withoutTables(models: Readonly<Record<string, ModelRoute>>): Record<string, ModelRoute> {
  return Object.fromEntries(Object.entries(models).map(([name, { table: _, ...route }]) => [name, route]));
}

/** Closes a lane on the gateway that opened it; gives what went wrong. */
async function closeLane(holder: Gateway | undefined, id: string): Promise<unknown> {
  try {
    await holder?.closeLane(id);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The error for a gateway that is not there. */
export function gatewayGone(code: ErrorCode = "gateway-failed"): SallyportError {
  return new SallyportError(code, "the gateway is not running", {
    next: "It is started again by itself; look at the daemon's log.",
  });
}
