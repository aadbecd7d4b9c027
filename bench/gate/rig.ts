/** The real engine and gateway for the bench, without a daemon. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { delegationIdFrom } from "../../src/domain/identity.ts";
import { type Gateway, startGateway } from "../../src/gateway/process.ts";
import { shippedImages } from "../../src/host/config.ts";
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

/** Images are those of this checkout's inputs, never only the newest of a name. Errors: `image-missing`. */
export async function openBenchRig(): Promise<BenchRig> {
  const docker = await connectEngine();
  const engine = dockerEngine(docker);
  const instance = `h-gate${delegationIdFrom(randomBytes(10)).slice(6)}`;
  const directory = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
  const images = new Map<string, Promise<string>>();
  const stop = new AbortController();
  let gateway: Gateway | undefined;
  const runner = roleRunner({
    engine,
    instance,
    note: () => {},
    secrets: { mask: async (text) => text, maskOutput: async (bytes) => bytes, ready: async () => undefined },
    gateway: async () => {
      if (!gateway) throw new Error("the gateway is not running");
      return gateway;
    },
  });
  gateway = await startGateway({
    directory: join(directory, "gateway"),
    uid: 10002,
    gid: 10002,
    onRequest: () => {},
    onVerb: (call) => runner.onVerb(call),
    onExit: () => {},
  });
  return {
    runRole: runner.run,
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
      await engine.sweep(instance);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
