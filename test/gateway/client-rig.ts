/** Real clients in a real sandbox of a real lane, as the host would start them. */
import { lookup } from "node:dns/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import type { LaneSpec } from "../../src/gateway/process.ts";
import { laneFiles, transparentFor } from "../../src/gateway/transparent.ts";
import type { SandboxResult, SandboxSpec } from "../../src/sandbox/engine.ts";
import { baseEnvironment, sandboxPaths } from "../../src/sandbox/hardening.ts";
import type { Bench } from "../sandbox/engine.ts";
import type { RequestEvent, Rig } from "./rig.ts";

/** This machine's own name and address: a name that no client takes for loopback. */
export const self = { name: hostname().toLowerCase(), address: (await lookup(hostname(), 4)).address };

/** A rule for a server of this machine. */
export function ownRule(port: number, more: object = {}): LaneSpec["network"][number] {
  return { host: self.name, port, scheme: "https", addresses: [self.address], ...more };
}

/** Runs a script in a sandbox of a lane. */
export async function inside(
  { rig, bench }: { rig: Rig; bench: Bench },
  network: LaneSpec["network"],
  script: string,
  changes: Partial<SandboxSpec> = {},
): Promise<SandboxResult & { text: string; events(): RequestEvent[] }> {
  const lane = await rig.lane({ network, requests: 2000 });
  const result = await bench.sh(script, {
    role: "executor",
    memory: 768 * 1024 * 1024,
    pids: 256,
    wall: 90_000,
    ...changes,
    environment: { ...baseEnvironment(true), ...changes.environment },
    mounts: [
      { source: dirname(lane), target: sandboxPaths.socket, writable: false },
      ...(transparentFor(network).hosts.length > 0
        ? [{ source: join(dirname(lane), laneFiles.hosts), target: sandboxPaths.hosts, writable: false }]
        : []),
      ...(changes.mounts ?? []),
    ],
  });
  return { ...result, events: () => rig.events.filter((event) => event.sandbox === lane.split("/").at(-2)) };
}
