/** The real engine and gateway for the bench, without a daemon. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { delegationIdFrom } from "../../src/domain/identity.ts";
import { startKeeper } from "../../src/gateway/keeper.ts";
import { type Gateway, startGateway } from "../../src/gateway/process.ts";
import { openBudgets } from "../../src/host/budgets.ts";
import { shippedImages } from "../../src/host/config.ts";
import { houseSecrets } from "../../src/host/house-secrets.ts";
import { roleRunner } from "../../src/host/role-runner.ts";
import { connectEngine } from "../../src/sandbox/connect.ts";
import { dockerEngine } from "../../src/sandbox/docker-engine.ts";
import { findImage } from "../../src/sandbox/images/find.ts";
import type { BenchTools } from "./evidence.ts";

export interface BenchRig extends BenchTools {
  /** Ends what runs; what waits for it throws, and cleans up. */
  stop(): void;
  close(): Promise<void>;
}

/**
 * Images are those of this checkout's inputs, never only the newest of a name. Errors: `image-missing`. `cap` is what models
 * may cost in all, in micro-dollars; the keeper takes their keys from the environment now.
 */
export async function openBenchRig(cap = 0): Promise<BenchRig> {
  const docker = await connectEngine();
  const engine = dockerEngine(docker);
  const instance = `h-gate${delegationIdFrom(randomBytes(10)).slice(6)}`;
  const directory = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
  const images = new Map<string, Promise<string>>();
  const stop = new AbortController();
  let gateway: Gateway | undefined;
  const keeper = await startKeeper(() => stop.abort(new Error("the keeper of the keys is gone")));
  const secrets = houseSecrets(() => gateway);
  const account = { id: "bench", whose: "this bench", rule: "GATE_BENCH_USD", usd: cap };
  const budgets = openBudgets({
    append: async () => {},
    note: () => {},
    now: () => new Date(),
    onOver: (sandbox) => runner.overBudget(sandbox),
  });
  budgets.start();
  const runner = roleRunner({
    engine,
    instance,
    note: () => {},
    secrets,
    budgets: { open: budgets.open, shut: budgets.shut, close: budgets.close, accountsOf: () => [account] },
    gateway: async () => {
      if (!gateway) throw new Error("the gateway is not running");
      return gateway;
    },
  });
  gateway = await startGateway({
    directory: join(directory, "gateway"),
    uid: 10002,
    gid: 10002,
    keeper,
    onRequest: () => {},
    onVerb: (call) => runner.onVerb(call),
    onReserve: budgets.reserve,
    onSettle: budgets.settle,
    onExit: () => {},
  });
  return {
    runRole: runner.run,
    secrets,
    baselines: new Map(),
    signal: stop.signal,
    image(name) {
      const known = images.get(name) ?? findImage(docker, name, shippedImages).then((image) => image.digest);
      images.set(name, known);
      return known;
    },
    stop: () => stop.abort(new Error("stopped")),
    async close() {
      stop.abort();
      await gateway?.stop();
      await keeper.stop();
      await engine.sweep(instance);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
